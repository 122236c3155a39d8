//! What a member opens the application messages of one epoch with, and seals its own (RFC 9420 §6.3,
//! §9): the secret tree as far as it has been used, and the secret of sender data. It outlives the
//! epoch for as long as late messages are to be read, which costs forward secrecy.

use rand_core::Rng;

use super::commit::Protection;
use super::member::Member;
use super::public_group::{PublicGroup, Verified};
use super::session::SessionError;
use crate::codec::{decode, encode};
use crate::crypto::{Crypto, Secret};
use crate::tree::LeafIndex;
use crate::treedem::{
    Consumption, Content, ContentType, MlsMessage, PrivateMessage, SecretTree, Sender,
};
use crate::treekem::EpochSecrets;

/// What one member has to read the messages of one epoch.
#[derive(Clone, Debug)]
pub struct EpochMessages {
    pub(super) public: PublicGroup,
    pub(super) sender_data_secret: Secret,
    pub(super) secrets: SecretTree,
}

impl EpochMessages {
    /// Nothing of the epoch has been used yet. The secrets that it is made from are left to the caller
    /// to erase.
    pub fn new(public: &PublicGroup, secrets: &EpochSecrets) -> Self {
        let tree = SecretTree::new(secrets.encryption_secret.clone(), public.tree.bound());
        let sender_data_secret = secrets.sender_data_secret.clone();
        Self { public: public.clone(), sender_data_secret, secrets: tree }
    }

    /// The public state of the epoch.
    pub fn public(&self) -> &PublicGroup {
        &self.public
    }

    /// The secret tree, as far as it has not been used.
    pub fn secrets(&self) -> &SecretTree {
        &self.secrets
    }

    /// The same, to send from it.
    pub fn secrets_mut(&mut self) -> &mut SecretTree {
        &mut self.secrets
    }

    /// Opens a private message of the epoch and verifies its signature; nothing is consumed yet.
    pub fn open(
        &self,
        crypto: &Crypto<'_>,
        message: &PrivateMessage,
    ) -> Result<(Verified, Consumption), SessionError> {
        let is_member = |leaf| self.public.tree.leaf(leaf).is_some();
        let (content, used) =
            message.open(crypto, &self.secrets, &self.sender_data_secret, is_member)?;
        Ok((self.public.verify(crypto, content)?, used))
    }

    /// Whether an encoded message with application data opens; nothing is consumed.
    pub fn opens(&self, crypto: &Crypto<'_>, message: &[u8]) -> bool {
        application_message(message).is_ok_and(|message| self.open(crypto, &message).is_ok())
    }

    /// Opens an encoded message with application data, and erases its key. Gives its sender and what
    /// it says.
    pub fn receive(
        &mut self,
        crypto: &Crypto<'_>,
        message: &[u8],
    ) -> Result<(LeafIndex, Vec<u8>), SessionError> {
        let (verified, used) = self.open(crypto, &application_message(message)?)?;
        self.secrets.consume(used);
        Ok(verified.into_application())
    }
}

/// What somebody would try who has been in an epoch and is not meant to read a message.
#[derive(Clone, Debug)]
pub struct Prying {
    sender_data_secret: Secret,
    secrets: SecretTree,
}

impl Prying {
    /// With all secrets of an epoch.
    pub fn new(public: &PublicGroup, secrets: &EpochSecrets) -> Self {
        let EpochMessages { sender_data_secret, secrets, .. } = EpochMessages::new(public, secrets);
        Self { sender_data_secret, secrets }
    }

    /// Whether a message opens, whatever group and epoch it names.
    pub fn opens(&self, crypto: &Crypto<'_>, message: &[u8]) -> bool {
        let Ok(message) = application_message(message) else { return false };
        message.open(crypto, &self.secrets, &self.sender_data_secret, |_| true).is_ok()
    }
}

impl Verified {
    /// The sender of application data, and the data. Whoever opens private messages has made sure that
    /// it is some.
    pub(super) fn into_application(self) -> (LeafIndex, Vec<u8>) {
        let framed = self.content.content;
        let Sender::Member(sender) = framed.sender else {
            unreachable!("only members send private messages")
        };
        let data = match framed.content {
            Content::Application(data) => data.into(),
            _ => vec![],
        };
        (sender, data)
    }
}

fn application_message(message: &[u8]) -> Result<PrivateMessage, SessionError> {
    match decode("an MLS message", message)? {
        MlsMessage::Private(message) if message.content_type == ContentType::Application => {
            Ok(message)
        }
        _ => Err(SessionError::NotApplicationData),
    }
}

impl Member {
    /// Seals application data with the member's next key of the epoch, which is consumed. Gives the
    /// encoded message.
    pub fn send(
        &self,
        crypto: &Crypto<'_>,
        secrets: &mut SecretTree,
        data: &[u8],
        rng: &mut dyn Rng,
    ) -> Result<Vec<u8>, SessionError> {
        let content = Content::Application(data.to_vec().into());
        let protection = Protection::Private { secrets, block: 0 };
        let (_, message) =
            self.protect::<SessionError>(crypto, content, vec![], protection, rng)?;
        Ok(encode(&message)?)
    }
}
