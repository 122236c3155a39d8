//! The worst inputs that are known, a mebibyte of each: what they allocate and how long they take
//! is within the limits, so that the limits are not only those of what chance comes up with.

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{CipherSuite, Digest};
use arboretum_engine::treedem::Commit;
use arboretum_engine::treesync::{
    Capabilities, ExtensionType, ProposalOrRef, RequiredCapabilities, decode_tree,
};
use arboretum_fuzz::limits::{peak_bound, take_spent, within};

const MEBIBYTE: usize = 1 << 20;

/// The peak of some work, in bytes for each byte of input.
fn peak_per_byte<T>(name: &str, input: &[u8], work: impl FnOnce(&[u8]) -> T) {
    take_spent();
    within(input.len(), || work(input));
    let spent = take_spent();
    let (peak, length) = spent.peak;
    println!("{name}: {peak} bytes for {length}, {} each; {:?}", peak / length, spent.time.0);
    assert!(peak <= peak_bound(length));
}

/// Lists of the shortest elements, which take the most memory for each byte.
#[test]
fn the_worst_inputs_that_are_known() {
    let blanks = encode(&vec![0_u8; MEBIBYTE]).expect("it has an encoding");
    peak_per_byte("blank nodes", &blanks, |input| decode_tree(input).is_ok());
    let keyed = encode(&[0_u8, 1, 2, 0, 0, 0].repeat(MEBIBYTE / 6));
    peak_per_byte("parents", &keyed.expect("it has an encoding"), |it| decode_tree(it).is_ok());
    let reference = ProposalOrRef::Reference(Digest::EMPTY);
    let commit = Commit { proposals: vec![reference; MEBIBYTE / 2], path: None };
    let commit = encode(&commit).expect("it has an encoding");
    peak_per_byte("references", &commit, |input| decode::<Commit>("a commit", input).is_ok());
    let types = vec![ExtensionType(7); MEBIBYTE / 2];
    let required = RequiredCapabilities { extension_types: types.clone(), ..Default::default() };
    let required = encode(&required).expect("it has an encoding");
    peak_per_byte("types", &required, |input| {
        decode::<RequiredCapabilities>("required capabilities", input).is_ok()
    });
    let capabilities = Capabilities { extensions: types, ..Capabilities::basic(CipherSuite(1)) };
    let capabilities = encode(&capabilities).expect("it has an encoding");
    peak_per_byte("capabilities", &capabilities, |input| {
        decode::<Capabilities>("capabilities", input).is_ok()
    });
}
