//! Messages: framing and public messages (RFC 9420 §6). The secret tree and private messages
//! have their place here too.

mod framing;

pub use framing::{
    Commit, Content, FramedContent, MlsMessage, PublicMessage, Sender, WireFormat,
    authenticated_content_tbm, framed_content_tbs,
};
