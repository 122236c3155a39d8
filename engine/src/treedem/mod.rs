//! Messages: framed content, public and private messages (RFC 9420 §6), and the secret tree
//! that private ones are encrypted from (§9).

mod content;
mod message;
mod private_message;
mod public_message;
mod secret_tree;

pub use content::{
    AuthenticatedContent, Commit, Content, ContentType, FramedContent, FramedContentTbs, Sender,
    WireFormat,
};
pub use message::MlsMessage;
pub use private_message::{PrivateMessage, PrivateMessageError, ReuseGuard, sender_data_key};
pub use public_message::{PublicMessage, membership_tag};
pub use secret_tree::{
    Consumption, MAX_KEPT, MAX_SKIP, MessageKey, RatchetType, SecretTree, SecretTreeError,
};
