//! message-protection: public and private messages, both ways (RFC 9420 §6).

use arboretum_engine::codec::{decode, encode};
use arboretum_engine::crypto::{Crypto, Secret, SignaturePrivateKey, SignaturePublicKey};
use arboretum_engine::tree::LeafIndex;
use arboretum_engine::treedem::{
    AuthenticatedContent, Content, ContentType, FramedContent, FramedContentTbs, MlsMessage,
    PrivateMessage, PublicMessage, SecretTree, Sender, WireFormat, membership_tag,
};

use super::case::Case;
use super::schedule::context;

/// Who sends in these cases, of two members.
const SENDER: LeafIndex = LeafIndex(1);
const WIDTH: u32 = 2;

/// The state of a group as a case gives it.
struct State<'c> {
    crypto: &'c Crypto<'c>,
    group_id: Vec<u8>,
    epoch: u64,
    context: Vec<u8>,
    key: SignaturePublicKey,
    signer: SignaturePrivateKey,
    encryption_secret: Secret,
    sender_data_secret: Secret,
    membership_key: Secret,
}

pub(super) fn check(crypto: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let (group_id, epoch) = (case.bytes("group_id")?, case.number("epoch")?);
    let (tree_hash, confirmed) =
        (case.digest("tree_hash")?, case.digest("confirmed_transcript_hash")?);
    let suite = crypto.cipher_suite();
    let state = State {
        crypto,
        context: context(suite, group_id.clone(), epoch, tree_hash, confirmed).encoded(),
        group_id,
        epoch,
        key: SignaturePublicKey::from(case.bytes("signature_pub")?),
        signer: SignaturePrivateKey::from(case.bytes("signature_priv")?.as_slice()),
        encryption_secret: case.secret("encryption_secret")?,
        sender_data_secret: case.secret("sender_data_secret")?,
        membership_key: case.secret("membership_key")?,
    };
    for (content_type, raw, public, private) in [
        (ContentType::Proposal, "proposal", Some("proposal_pub"), "proposal_priv"),
        (ContentType::Commit, "commit", Some("commit_pub"), "commit_priv"),
        (ContentType::Application, "application", None, "application_priv"),
    ] {
        let raw_bytes = case.bytes(raw)?;
        let checked = state.kind(content_type, &raw_bytes, case, public, private);
        checked.map_err(|what| format!("{raw}: {what}"))?;
    }
    Ok(())
}

impl State<'_> {
    fn kind(
        &self,
        content_type: ContentType,
        raw: &[u8],
        case: &Case<'_>,
        public: Option<&str>,
        private: &str,
    ) -> Result<(), String> {
        let content = self.content(content_type, raw)?;
        let mut tag = None;
        if let Some(public) = public {
            let message = case.bytes(public)?;
            tag = self.open_public(&message, &content)?;
            let mut own = self.sign(WireFormat::PUBLIC_MESSAGE, &content)?;
            own.confirmation_tag = tag;
            let key = Some(&self.membership_key);
            let own = PublicMessage::protect(self.crypto, own, key, &self.context);
            let own = encode(&MlsMessage::Public(own.map_err(text)?)).map_err(text)?;
            self.open_public(&own, &content)?;
        }
        self.open_private(&case.bytes(private)?, &content)?;
        let mut own = self.sign(WireFormat::PRIVATE_MESSAGE, &content)?;
        own.confirmation_tag = tag;
        let mut tree = SecretTree::new(self.encryption_secret.clone(), WIDTH);
        let own = PrivateMessage::seal(
            self.crypto,
            &own,
            &mut tree,
            &self.sender_data_secret,
            10,
            [1, 2, 3, 4],
        );
        let own = encode(&MlsMessage::Private(own.map_err(text)?)).map_err(text)?;
        self.open_private(&own, &content)
    }

    fn content(&self, content_type: ContentType, raw: &[u8]) -> Result<Content, String> {
        // Application data stands in its case without the header of its vector.
        if content_type == ContentType::Application {
            return Ok(Content::Application(raw.to_vec().into()));
        }
        let (content, rest) = Content::decode_body(content_type, raw).map_err(text)?;
        if rest.is_empty() { Ok(content) } else { Err("bytes are left over".into()) }
    }

    fn sign(&self, format: WireFormat, content: &Content) -> Result<AuthenticatedContent, String> {
        let framed = FramedContent {
            group_id: self.group_id.clone().into(),
            epoch: self.epoch,
            sender: Sender::Member(SENDER),
            authenticated_data: vec![].into(),
            content: content.clone(),
        };
        AuthenticatedContent::sign(self.crypto, &self.signer, format, framed, &self.context)
            .map_err(text)
    }

    /// Checks frame, signature and content; gives what the signature covers.
    fn verify(
        &self,
        content: &AuthenticatedContent,
        expected: &Content,
    ) -> Result<FramedContentTbs, String> {
        let framed = &content.content;
        let frame = (framed.group_id.as_slice(), framed.epoch, framed.sender);
        if frame != (&self.group_id, self.epoch, Sender::Member(SENDER)) {
            return Err("the frame is another".into());
        }
        let encoded = encode(framed).map_err(text)?;
        let tbs = content.verify(self.crypto, &self.key, &encoded, &self.context);
        let tbs = tbs.map_err(text)?;
        if framed.content != *expected {
            return Err("the content is another".into());
        }
        Ok(tbs)
    }

    /// Opens a public message; gives its confirmation tag.
    fn open_public(
        &self,
        message: &[u8],
        expected: &Content,
    ) -> Result<Option<arboretum_engine::crypto::Digest>, String> {
        let MlsMessage::Public(message) = decode("a message", message).map_err(text)? else {
            return Err("it is no public message".into());
        };
        let (content, found) = message.into_content();
        let tbs = self.verify(&content, expected)?;
        let tag = content.confirmation_tag;
        let (key, signature) = (&self.membership_key, &content.signature);
        let computed = membership_tag(self.crypto, key, &tbs, signature, tag.as_ref());
        if found != Some(computed.map_err(text)?) {
            return Err("the membership tag does not verify".into());
        }
        Ok(tag)
    }

    fn open_private(&self, message: &[u8], expected: &Content) -> Result<(), String> {
        let MlsMessage::Private(message) = decode("a message", message).map_err(text)? else {
            return Err("it is no private message".into());
        };
        let tree = SecretTree::new(self.encryption_secret.clone(), WIDTH);
        let is_member = |leaf: LeafIndex| leaf.0 < WIDTH;
        let opened = message.open(self.crypto, &tree, &self.sender_data_secret, is_member);
        self.verify(&opened.map_err(text)?.0, expected).map(|_| ())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
