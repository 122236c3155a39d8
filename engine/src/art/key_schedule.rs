//! The key schedule (draft-barnes-mls-protocol-00 §6.2).

use tls_codec::{TlsSerialize, TlsSize};

use super::suite::{DhKeyPair, derive_key_pair};
use super::wire::opaque16;
use crate::codec::{CodecError, encode};
use crate::crypto::{Crypto, CryptoError, Secret};

/// What the members of an epoch share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochSecrets {
    /// From which messages are protected.
    pub message_master_secret: Secret,
    /// By which members are added in this epoch.
    pub add: DhKeyPair,
    /// What the next epoch's secret continues from, unless it adds somebody.
    pub init_secret: Secret,
}

/// Why an epoch's secrets cannot be derived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// A primitive refused.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The label has no encoding.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// `HkdfLabel`.
#[derive(TlsSize, TlsSerialize)]
struct HkdfLabel {
    length: u16,
    #[tls_codec(with = "opaque8")]
    label: Vec<u8>,
    #[tls_codec(with = "opaque16")]
    group_id: Vec<u8>,
    epoch: u32,
    #[tls_codec(with = "opaque16")]
    message: Vec<u8>,
}

use super::wire::opaque8;

/// What an epoch's secrets are bound to.
#[derive(Clone, Copy, Debug)]
pub struct Context<'c> {
    /// The group.
    pub group_id: &'c [u8],
    /// The epoch that begins.
    pub epoch: u32,
    /// The handshake message that begins it.
    pub message: &'c [u8],
}

/// What stands for the handshake of a group of one, which comes from none.
pub const NO_MESSAGE: &[u8] = &[0];

impl EpochSecrets {
    /// The secrets of the epoch that a handshake message leads to. `init` is the init secret of the
    /// epoch before; none if somebody is added, who does not know it.
    pub fn next(
        crypto: &Crypto<'_>,
        init: Option<&Secret>,
        update_secret: &Secret,
        context: Context<'_>,
    ) -> Result<Self, ScheduleError> {
        let zero = crypto.zero();
        let epoch_secret = crypto.extract(init.unwrap_or(&zero), update_secret);
        // A vector of the label has at most 2^16 - 1 bytes: the hash of a longer message stands for it.
        let message = match u16::try_from(context.message.len()) {
            Ok(_) => context.message.to_vec(),
            Err(_) => crypto.hash(context.message).as_slice().to_vec(),
        };
        let derive = |label| derive_secret(crypto, &epoch_secret, label, context, &message);
        let add = derive("add")?;
        Ok(Self {
            message_master_secret: derive("msg")?,
            add: derive_key_pair(crypto, &add)?,
            init_secret: derive("init")?,
        })
    }
}

/// `Derive-Secret(Secret, Label, ID, Epoch, Msg)`, as long as a hash.
fn derive_secret(
    crypto: &Crypto<'_>,
    secret: &Secret,
    label: &str,
    context: Context<'_>,
    message: &[u8],
) -> Result<Secret, ScheduleError> {
    let length = crypto.provider().digest_length();
    let label = HkdfLabel {
        length: length as u16,
        label: [b"mls10 ", label.as_bytes()].concat(),
        group_id: context.group_id.to_vec(),
        epoch: context.epoch,
        message: message.to_vec(),
    };
    Ok(crypto.expand(secret, &encode(&label)?, length)?)
}

#[cfg(test)]
mod tests {
    use hkdf::Hkdf;
    use sha2::Sha256;

    use super::*;
    use crate::crypto::RealProvider;

    /// Against the hkdf crate and a label written out byte by byte.
    #[test]
    fn secrets_are_those_of_the_text() {
        let crypto = Crypto::new(&RealProvider);
        let update = Secret::from(&[7; 32][..]);
        for (init, message) in [(None, vec![9; 70]), (Some([5; 32]), vec![9; 70_000])] {
            let context = Context { group_id: b"gid", epoch: 258, message: &message };
            let init_secret = init.map(|init| Secret::from(&init[..]));
            let secrets =
                EpochSecrets::next(&crypto, init_secret.as_ref(), &update, context).unwrap();
            let (_, epoch) = Hkdf::<Sha256>::extract(Some(&init.unwrap_or([0; 32])), &[7; 32]);
            let bound = match message.len() {
                70 => message.clone(),
                _ => crypto.hash(&message).as_slice().to_vec(),
            };
            let expected = |label: &[u8]| {
                let info = [
                    &[0, 32, label.len() as u8][..],
                    label,
                    &[0, 3],
                    b"gid",
                    &[0, 0, 1, 2],
                    &(bound.len() as u16).to_be_bytes(),
                    &bound,
                ]
                .concat();
                let mut out = vec![0; 32];
                epoch.expand(&info, &mut out).unwrap();
                out
            };
            assert_eq!(secrets.message_master_secret.as_slice(), expected(b"mls10 msg"));
            assert_eq!(secrets.init_secret.as_slice(), expected(b"mls10 init"));
            let add = crypto.hash(&expected(b"mls10 add"));
            assert_eq!(secrets.add.private.as_slice(), add.as_slice());
        }
    }
}
