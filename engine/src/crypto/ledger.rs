//! The ledger: how many operations of each kind somebody has performed. Counts are exact and
//! portable; time comes later, from multiplying them by a device profile.

use std::ops::{Add, AddAssign, Mul, Sub};

macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),+ $(,)?) => {
        /// A kind of operation that is counted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(usize)]
        pub enum Op { $($(#[$doc])* $variant),+ }

        impl Op {
            /// Every kind, in ledger order.
            pub const ALL: [Op; [$($name),+].len()] = [$(Op::$variant),+];

            /// The name used in tables.
            pub const fn name(self) -> &'static str {
                match self { $(Op::$variant => $name),+ }
            }
        }
    };
}

operations! {
    /// A KEM key pair generated or derived.
    KemGenerate = "kem_generate",
    /// A KEM encapsulation (for X25519: one key generation and one agreement, counted here only).
    KemEncapsulate = "kem_encapsulate",
    /// A KEM decapsulation.
    KemDecapsulate = "kem_decapsulate",
    /// A plain Diffie-Hellman agreement outside a KEM.
    Dh = "dh",
    /// A signature made.
    Sign = "sign",
    /// A signature verified.
    Verify = "verify",
    /// A hash of one input, of any length.
    Hash = "hash",
    /// A MAC computed.
    Mac = "mac",
    /// `KDF.Extract` outside HPKE's own key schedule.
    KdfExtract = "kdf_extract",
    /// `KDF.Expand` outside HPKE's own key schedule.
    KdfExpand = "kdf_expand",
    /// An AEAD encryption, HPKE's included.
    AeadSeal = "aead_seal",
    /// An AEAD decryption, HPKE's included.
    AeadOpen = "aead_open",
}

/// Counts of every [`Op`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    counts: [u64; Op::ALL.len()],
}

impl Ledger {
    /// How many operations of this kind.
    pub fn count(&self, op: Op) -> u64 {
        self.counts[op as usize]
    }

    /// Charges `n` operations of a kind.
    pub fn charge(&mut self, op: Op, n: u64) {
        self.counts[op as usize] += n;
    }

    /// Every kind with its count, in ledger order.
    pub fn iter(&self) -> impl Iterator<Item = (Op, u64)> + '_ {
        Op::ALL.into_iter().map(|op| (op, self.count(op)))
    }
}

impl AddAssign for Ledger {
    fn add_assign(&mut self, other: Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
    }
}

impl Add for Ledger {
    type Output = Self;
    fn add(mut self, other: Self) -> Self {
        self += other;
        self
    }
}

impl Sub for Ledger {
    type Output = Self;
    /// What was charged since `earlier`, which must be an earlier state of this ledger.
    fn sub(mut self, earlier: Self) -> Self {
        for (mine, theirs) in self.counts.iter_mut().zip(earlier.counts) {
            *mine = mine.checked_sub(theirs).expect("a ledger never shrinks");
        }
        self
    }
}

impl Mul<u64> for Ledger {
    type Output = Self;
    fn mul(mut self, times: u64) -> Self {
        self.counts.iter_mut().for_each(|count| *count *= times);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(charges: &[(Op, u64)]) -> Ledger {
        let mut ledger = Ledger::default();
        charges.iter().for_each(|&(op, n)| ledger.charge(op, n));
        ledger
    }

    #[test]
    fn charges_add_up() {
        let a = ledger(&[(Op::Hash, 2), (Op::Sign, 1), (Op::Hash, 3)]);
        let b = ledger(&[(Op::Hash, 10), (Op::AeadOpen, 7)]);
        assert_eq!(a.count(Op::Hash), 5);
        assert_eq!(a + b, ledger(&[(Op::Hash, 15), (Op::Sign, 1), (Op::AeadOpen, 7)]));
        assert_eq!((a + b) - a, b);
        assert_eq!(a * 3, a + a + a);
        assert_eq!(Ledger::default() * 3, Ledger::default());
    }

    #[test]
    fn every_kind_is_listed_once_in_order() {
        let all: Vec<_> = Ledger::default().iter().map(|(op, _)| op).collect();
        assert_eq!(all, Op::ALL);
        assert!(all.iter().enumerate().all(|(at, op)| *op as usize == at));
        let mut names: Vec<_> = Op::ALL.map(Op::name).to_vec();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Op::ALL.len());
    }

    #[test]
    #[should_panic(expected = "never shrinks")]
    fn a_ledger_cannot_be_taken_from_a_smaller_one() {
        let _ = Ledger::default() - ledger(&[(Op::Dh, 1)]);
    }
}
