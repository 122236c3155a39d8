//! What an announcement is refused for, rule by rule.

use super::*;
use crate::baseline::x3dh::Identity;
use crate::crypto::RealProvider;

const REAL: RealProvider = RealProvider::new();

fn crypto() -> Crypto<'static> {
    Crypto::new(&REAL)
}

fn identity(client: u8) -> Identity {
    Identity::new(&crypto(), &[client; 32], &[client + 100; 32]).unwrap()
}

fn card(client: u8, registration: u32) -> Card {
    Card { client: client.into(), registration, keys: identity(client).keys() }
}

/// Members 0 to 3, in epoch 5.
fn book() -> Book {
    Book::default().resumed(0, (0..4).map(|client| card(client, 0)).collect())
}

fn transcript() -> Digest {
    [3; 32].into()
}

fn content(issuer: u8, removes: &[u32], adds: &[Card]) -> Content {
    Content {
        epoch: 6,
        previous: transcript(),
        issuer: issuer.into(),
        removes: removes.to_vec(),
        adds: adds.to_vec(),
        roster: Digest::EMPTY,
    }
}

fn announce(signer: u8, content: Content) -> Announcement {
    let signer = identity(signer).signer;
    Announcement::new(&crypto(), &signer, &book(), content).unwrap()
}

fn follow(announcement: &Announcement) -> Result<Book, BaselineError> {
    let mut book = book();
    let followed = announcement.follow(&crypto(), 5, &transcript(), &mut book);
    if followed.is_err() {
        assert_eq!(book.roster(6), self::book().roster(6), "nothing has changed");
    }
    followed.map(|()| book)
}

fn refusal(signer: u8, content: Content) -> BaselineError {
    follow(&announce(signer, content)).unwrap_err()
}

#[test]
fn what_is_announced_happens() {
    let announcement = announce(1, content(1, &[2, 0], &[card(7, 0), card(5, 0)]));
    let book = follow(&announcement).unwrap();
    let clients = |numbers: &[u32]| numbers.iter().map(|n| ClientId(*n)).collect::<Vec<_>>();
    assert_eq!(book.roster(6), clients(&[1, 3, 5, 7]));
    assert_eq!(book.roster(5), clients(&[0, 1, 2, 3]));
    assert!(book.recount() && book.members() == 4);
    let encoded = encode(&announcement).unwrap();
    assert_eq!(Announcement::read(&encoded).unwrap(), announcement);
    // Somebody may be removed and added at once.
    let anew = follow(&announce(1, content(1, &[2], &[card(2, 0)]))).unwrap();
    assert_eq!(anew.roster(6), clients(&[0, 1, 2, 3]));
    // A newcomer may announce itself, and a member its new registration.
    assert_eq!(follow(&announce(9, content(9, &[], &[card(9, 0)]))).unwrap().members(), 5);
    let anew = follow(&announce(2, content(2, &[], &[card(2, 1)]))).unwrap();
    assert_eq!((anew.members(), anew.card(ClientId(2)).unwrap().registration), (4, 1));
}

#[test]
fn a_joiner_checks_the_roster() {
    let announcement = announce(1, content(1, &[], &[card(7, 0)]));
    let roster = follow(&announcement).unwrap().cards();
    let enter = |roster: Vec<Card>| {
        let entered = announcement.enter(&crypto(), roster, Book::default());
        entered.map(|book| book.roster(6))
    };
    assert_eq!(enter(roster.clone()).unwrap().len(), 5);
    assert_eq!(enter(roster[..4].to_vec()), Err(BaselineError::WrongRoster));
    assert_eq!(enter(roster[2..].to_vec()), Err(BaselineError::NotAnIssuer));
    let mut other = roster.clone();
    other[0].keys = identity(9).keys();
    assert_eq!(enter(other), Err(BaselineError::WrongRoster));
    let mut other = roster;
    other[1].keys = identity(9).keys();
    assert_eq!(enter(other), Err(BaselineError::BadAnnouncementSignature));
}

#[test]
fn who_has_been_a_member_before_remembers() {
    let book = Book::default().resumed(0, vec![card(0, 0), card(1, 0)]);
    let book = book.resumed(10, vec![card(1, 0), card(2, 0)]);
    assert!(book.is_member(ClientId(0), 9) && !book.is_member(ClientId(0), 10));
    assert!(book.is_member(ClientId(1), 9) && book.is_member(ClientId(1), 10));
    assert!(!book.is_member(ClientId(2), 9) && book.is_member(ClientId(2), 10));
    assert!(book.recount() && book.members() == 2);
}

#[test]
fn an_announcement_follows_the_one_before() {
    let good = content(1, &[2], &[]);
    assert!(follow(&announce(1, good.clone())).is_ok());
    for epoch in [5, 7] {
        let wrong = Content { epoch, ..good.clone() };
        assert_eq!(refusal(1, wrong), BaselineError::WrongEpoch);
    }
    let wrong = Content { previous: [4; 32].into(), ..good };
    assert_eq!(refusal(1, wrong), BaselineError::WrongTranscript);
}

#[test]
fn an_announcement_is_signed_by_its_issuer() {
    let good = content(1, &[2], &[]);
    assert_eq!(refusal(3, good.clone()), BaselineError::BadAnnouncementSignature);
    let mut changed = announce(1, good);
    changed.content.removes = vec![3];
    assert_eq!(follow(&changed).unwrap_err(), BaselineError::BadAnnouncementSignature);
    // Nobody announces another in its place.
    let itself = content(9, &[], &[card(9, 0)]);
    assert_eq!(refusal(1, itself), BaselineError::BadAnnouncementSignature);
}

#[test]
fn only_members_announce_others() {
    for content in [content(9, &[2], &[]), content(9, &[], &[card(8, 0)])] {
        assert_eq!(refusal(9, content), BaselineError::NotAnIssuer);
    }
    let with_another = content(9, &[], &[card(9, 0), card(8, 0)]);
    assert_eq!(refusal(9, with_another), BaselineError::NotAnIssuer);
    let and_removes = content(9, &[1], &[card(9, 0)]);
    assert_eq!(refusal(9, and_removes), BaselineError::NotAnIssuer);
}

#[test]
fn only_other_members_are_removed() {
    for removes in [&[9][..], &[1], &[2, 2]] {
        assert_eq!(refusal(1, content(1, removes, &[])), BaselineError::BadRemove);
    }
}

#[test]
fn only_others_than_members_are_added() {
    for adds in [vec![card(2, 0)], vec![card(2, 5)], vec![card(8, 0), card(8, 0)]] {
        assert_eq!(refusal(1, content(1, &[], &adds)), BaselineError::BadAdd);
    }
    // A member that announces itself registers anew, as the same.
    assert_eq!(refusal(2, content(2, &[], &[card(2, 0)])), BaselineError::BadAdd);
    let another = Card { keys: identity(9).keys(), ..card(2, 1) };
    assert_eq!(refusal(9, content(2, &[], &[another])), BaselineError::WrongIdentity);
}

#[test]
fn the_roster_is_the_one_announced() {
    // An issuer whose book is another.
    let mut other = book();
    other.leave(5, ClientId(3));
    let announcement =
        Announcement::new(&crypto(), &identity(1).signer, &other, content(1, &[2], &[])).unwrap();
    assert_eq!(follow(&announcement).unwrap_err(), BaselineError::WrongRoster);
}
