//! The rule that a request breaks. A refusal names the field and what would do instead; the
//! engine's own words stand for the rules of the protocol. Whatever is refused has changed
//! nothing.

use std::fmt;

use arboretum_engine::codec::CodecError;
use arboretum_engine::group::{JoinError, SessionError};
use tonic::{Code, Status};

/// A field of a request, and the entry in it where it is a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in the interface description.
    pub name: &'static str,
    /// The entry, from 0.
    pub at: Option<usize>,
}

impl From<&'static str> for Field {
    fn from(name: &'static str) -> Self {
        Self { name, at: None }
    }
}

impl From<(&'static str, usize)> for Field {
    fn from((name, at): (&'static str, usize)) -> Self {
        Self { name, at: Some(at) }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => write!(f, "{}[{at}]", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// The rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A number that names nothing.
    #[error("{field}: nothing has the number {id}; numbers come from answers, and end with Free")]
    Unknown {
        /// Where.
        field: &'static str,
        /// The number.
        id: u32,
    },
    /// A number that names something else.
    #[error("{field}: {id} is the number of a {found}; a {wanted} is needed")]
    Kind {
        /// Where.
        field: &'static str,
        /// The number.
        id: u32,
        /// What it names.
        found: &'static str,
        /// What it should name.
        wanted: &'static str,
    },
    /// Too much is held.
    #[error("{held} states, transactions and signers are held and no more are: Free some")]
    Full {
        /// How many.
        held: usize,
    },
    /// A field is too long.
    #[error("{field}: {length} bytes are more than the {most} that are taken")]
    TooLong {
        /// Where.
        field: Field,
        /// Its length in bytes.
        length: usize,
        /// The longest that is taken.
        most: usize,
    },
    /// A list is too long.
    #[error("{field}: {count} entries are more than the {most} that are taken")]
    TooMany {
        /// Where.
        field: Field,
        /// How many.
        count: usize,
        /// The most that are taken.
        most: usize,
    },
    /// A cipher suite that is not served.
    #[error("{field}: cipher suite {suite} is not served; ask SupportedCiphersuites")]
    Suite {
        /// Where.
        field: &'static str,
        /// The suite.
        suite: u32,
    },
    /// A code point is none.
    #[error("{field}: {found} has more than 16 bits")]
    CodePoint {
        /// Where.
        field: Field,
        /// The number.
        found: u32,
    },
    /// Bytes that cannot be decoded.
    #[error("{field}: {error}")]
    Malformed {
        /// Where.
        field: Field,
        /// What is wrong.
        error: CodecError,
    },
    /// Another message than is needed.
    #[error("{field}: the message is not a {wanted}")]
    WrongMessage {
        /// Where.
        field: Field,
        /// What is needed.
        wanted: &'static str,
    },
    /// A proposal type in words that is none.
    #[error(
        "{field}: '{found}' is not add, remove, externalPSK, resumptionPSK, groupContextExtensions or reinit"
    )]
    ProposalType {
        /// Where.
        field: Field,
        /// The word.
        found: String,
    },
    /// A ReInit is described where none is taken.
    #[error("{field}: reinit is for ReInitCommit and ExternalSignerProposal (RFC 9420 §12.4.2)")]
    ReInitHere {
        /// Where.
        field: Field,
    },
    /// A field is missing that the call cannot do without.
    #[error("{field}: is missing")]
    Missing {
        /// Where.
        field: &'static str,
    },
    /// The joiner says that it is somebody else.
    #[error("identity: the key package of this transaction was made for another identity")]
    AnotherIdentity,
    /// Nobody has that identity.
    #[error("{field}: no member of the group has this identity")]
    NoSuchMember {
        /// Where.
        field: Field,
    },
    /// The group does not listen to the signer.
    #[error(
        "signer_id: the group does not list this signer among its external_senders; commit AddExternalSigner first (RFC 9420 §12.1.8.1)"
    )]
    NotListenedTo,
    /// A commit ends the group, and the call is for one that does not; or the other way round.
    #[error("the commit {}: use {instead}", if *.ends { "ends the group by a ReInit" } else { "has no ReInit" })]
    EndsGroup {
        /// Whether it does.
        ends: bool,
        /// The call that is for it.
        instead: &'static str,
    },
    /// The group has not been ended.
    #[error(
        "reinit_id: the group has not been ended: HandleReInitCommit or HandlePendingReInitCommit comes first (RFC 9420 §11.2)"
    )]
    NotEnded,
    /// A rule of the protocol.
    #[error("{field}: {error}")]
    Protocol {
        /// Where.
        field: Field,
        /// In the engine's words.
        error: Box<SessionError>,
    },
}

impl Refusal {
    /// The status that says so to the caller, in the name of a call.
    pub fn status(&self, call: &str) -> Status {
        Status::new(self.code(), format!("{call}: {self}"))
    }

    /// A request that could never be served is an invalid argument; one that another state
    /// would serve fails a precondition.
    fn code(&self) -> Code {
        match self {
            Self::Unknown { .. } => Code::NotFound,
            Self::Full { .. } => Code::ResourceExhausted,
            Self::Kind { .. }
            | Self::TooLong { .. }
            | Self::TooMany { .. }
            | Self::Suite { .. }
            | Self::CodePoint { .. }
            | Self::Malformed { .. }
            | Self::WrongMessage { .. }
            | Self::ProposalType { .. }
            | Self::ReInitHere { .. }
            | Self::Missing { .. } => Code::InvalidArgument,
            Self::Protocol { error, .. } if is_malformed(error) => Code::InvalidArgument,
            Self::AnotherIdentity
            | Self::NoSuchMember { .. }
            | Self::NotListenedTo
            | Self::EndsGroup { .. }
            | Self::NotEnded
            | Self::Protocol { .. } => Code::FailedPrecondition,
        }
    }
}

fn is_malformed(error: &SessionError) -> bool {
    matches!(
        error,
        SessionError::Codec(_) | SessionError::Join(JoinError::Codec(_) | JoinError::DecodeTree(_))
    )
}

/// Puts a refusal of the engine at a field.
pub(crate) fn at<E: Into<SessionError>>(field: impl Into<Field>) -> impl FnOnce(E) -> Refusal {
    let field = field.into();
    move |error| Refusal::Protocol { field, error: Box::new(error.into()) }
}
