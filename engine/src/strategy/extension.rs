//! A strategy in the group context: an extension of a private-use type (RFC 9420 §17.3), so that
//! everybody who joins learns by which rules the tree is kept, and a client that does not know
//! them is refused by RFC 9420's own rule (§13.4: every member supports every group extension).

use tls_codec::{DeserializeBytes, Error, Serialize, Size};

use super::{Compaction, Layout, Placement, Removal, Strategy};
use crate::codec::{CodecError, decode, encode};
use crate::treesync::{Extension, ExtensionType};

/// Letters of the encoding: placement, removal, layout and its two numbers, compaction, a switch for
/// unmerged leaves, and two in one for the filter and for proposed paths.
const LENGTH: usize = 8;

/// What the last letter has more where members may propose paths.
const CONCURRENT: u8 = 2;

fn letters(strategy: &Strategy) -> [u8; LENGTH] {
    let (layout, first, second) = match strategy.layout {
        Layout::Perfect => (0, 0, 0),
        Layout::LeftBalanced => (1, 0, 0),
        Layout::Ary(degree) => (2, degree, 0),
        Layout::BTree { least, most } => (3, least, most),
        Layout::LeftLeaning => (4, 0, 0),
        Layout::WeightBalanced(percent) => (5, percent, 0),
        Layout::Scapegoat(percent) => (6, percent, 0),
        Layout::Weighted => (7, 0, 0),
    };
    [
        strategy.placement as u8,
        strategy.removal as u8,
        layout,
        first,
        second,
        strategy.compaction as u8,
        strategy.unmerged.into(),
        u8::from(strategy.filtered) + CONCURRENT * u8::from(strategy.concurrent),
    ]
}

fn read(letters: [u8; LENGTH]) -> Option<Strategy> {
    let [placement, removal, layout, first, second, compaction, unmerged, last] = letters;
    let concurrent = last >= CONCURRENT;
    let filtered = if concurrent { last - CONCURRENT } else { last };
    let pick = |value: u8| match value {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    };
    let strategy = Strategy {
        placement: *Placement::ALL.get(usize::from(placement))?,
        removal: *Removal::ALL.get(usize::from(removal))?,
        layout: match (layout, first, second) {
            (0, 0, 0) => Layout::Perfect,
            (1, 0, 0) => Layout::LeftBalanced,
            (2, degree, 0) => Layout::Ary(degree),
            (3, least, most) => Layout::BTree { least, most },
            (4, 0, 0) => Layout::LeftLeaning,
            (5, percent, 0) => Layout::WeightBalanced(percent),
            (6, percent, 0) => Layout::Scapegoat(percent),
            (7, 0, 0) => Layout::Weighted,
            _ => return None,
        },
        compaction: *Compaction::ALL.get(usize::from(compaction))?,
        unmerged: pick(unmerged)?,
        filtered: pick(filtered)?,
        concurrent,
    };
    strategy.check().ok()?;
    Some(strategy)
}

impl Size for Strategy {
    fn tls_serialized_len(&self) -> usize {
        LENGTH
    }
}

impl Serialize for Strategy {
    fn tls_serialize<W: std::io::Write>(&self, writer: &mut W) -> Result<usize, Error> {
        letters(self).tls_serialize(writer)
    }
}

impl DeserializeBytes for Strategy {
    fn tls_deserialize_bytes(bytes: &[u8]) -> Result<(Self, &[u8]), Error> {
        let (letters, rest) = <[u8; LENGTH]>::tls_deserialize_bytes(bytes)?;
        let strategy = read(letters)
            .ok_or_else(|| Error::DecodingError("no strategy has these choices together".into()))?;
        Ok((strategy, rest))
    }
}

impl Strategy {
    /// The extension that puts a group under this strategy; none for RFC 9420.
    pub fn extension(&self) -> Result<Option<Extension>, CodecError> {
        if *self == Self::default() {
            return Ok(None);
        }
        let extension_type = ExtensionType::STRATEGY;
        Ok(Some(Extension { extension_type, extension_data: encode(self)?.into() }))
    }

    /// The strategy that a group context's extensions name.
    pub fn of_extensions(extensions: &[Extension]) -> Result<Self, CodecError> {
        let mut named = extensions.iter().filter(|e| e.extension_type == ExtensionType::STRATEGY);
        match named.next() {
            Some(extension) => decode("a strategy", extension.extension_data.as_slice()),
            None => Ok(Self::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sound_strategy_survives_its_encoding() {
        let mut seen = 0;
        // Numbers of layouts that have any: a degree, children, a percentage.
        let numbers = [(0, 0), (2, 0), (3, 0), (2, 3), (70, 0)];
        // One value more than there is of each choice.
        let counts = [7, 5, 9, 6, 3, 5];
        for number in 0..counts.iter().product::<u32>() * 5 {
            let mut rest = number;
            let mut next = |count: u32| {
                let digit = rest % count;
                rest /= count;
                digit as u8
            };
            let (first, second) = numbers[usize::from(next(5))];
            let [placement, removal, layout, compaction, unmerged, last] = counts.map(&mut next);
            let letters = [placement, removal, layout, first, second, compaction, unmerged, last];
            if let Some(strategy) = read(letters) {
                assert_eq!(super::letters(&strategy), letters);
                assert_eq!(decode::<Strategy>("", &encode(&strategy).unwrap()), Ok(strategy));
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
        assert!(decode::<Strategy>("", &[0; LENGTH - 1]).is_err());
        assert!(decode::<Strategy>("", &[9; LENGTH]).is_err());
        // Numbers from outside are not multiplied before they are bounded.
        assert!(decode::<Strategy>("", &[0, 0, 3, 200, 10, 1, 1, 1]).is_err());
        assert!(decode::<Strategy>("", &[0, 0, 3, 255, 255, 1, 1, 1]).is_err());
        // Paths are proposed in trees that stay where they are.
        assert!(decode::<Strategy>("", &[0, 0, 0, 0, 0, 1, 1, 3]).is_ok());
        assert!(decode::<Strategy>("", &[0, 0, 4, 0, 0, 1, 1, 3]).is_err());
        // Whoever moves to the left goes where newcomers go.
        let [append, scoot_over] = [Placement::Append as u8, Compaction::ScootOver as u8];
        assert!(decode::<Strategy>("", &[0, 0, 0, 0, 0, scoot_over, 1, 1]).is_ok());
        assert!(decode::<Strategy>("", &[append, 0, 0, 0, 0, scoot_over, 1, 1]).is_err());
    }

    #[test]
    fn rfc_9420_is_no_extension() {
        assert_eq!(Strategy::default().extension(), Ok(None));
        assert_eq!(Strategy::of_extensions(&[]), Ok(Strategy::default()));
        let other = Strategy { unmerged: false, ..Strategy::default() };
        let extension = other.extension().unwrap().unwrap();
        assert_eq!(Strategy::of_extensions(&[extension]), Ok(other));
    }
}
