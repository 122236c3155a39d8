//! A fuzz input read as decisions, and changes of byte strings that follow from them.

use arboretum_engine::codec::{decode, encode};
use tls_codec::{DeserializeBytes, Serialize};

/// The longest that a change makes a byte string.
const LONGEST: usize = 1 << 16;

/// The most bytes that are put in at once.
const MOST_INSERTED: usize = 64;

/// The most times that a part is repeated.
const MOST_REPEATS: usize = 1 << 12;

/// A fuzz input. Once it is used up, every decision is the first of its choices.
#[derive(Clone, Copy, Debug)]
pub struct Choices<'a>(&'a [u8]);

impl<'a> Choices<'a> {
    /// The decisions of an input.
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// A number of two bytes.
    pub fn short(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number of four bytes.
    pub fn word(&mut self) -> u32 {
        u32::from(self.short()) << 16 | u32::from(self.short())
    }

    /// A number below a bound, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        let drawn = if bound <= 256 { usize::from(self.byte()) } else { self.word() as usize };
        drawn % bound
    }

    /// One time in so many.
    pub fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == many - 1
    }

    /// One of several, of which there is at least one.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }

    /// The next bytes, as many as there are up to a number.
    pub fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(most.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A number that breaks things: around zero, around a limit, or any.
    pub fn number(&mut self) -> u64 {
        match self.byte() % 8 {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => u64::from(self.short()),
            3 => u64::from(self.word()),
            4 => u64::MAX - u64::from(self.byte()),
            5 => u64::from(u32::MAX) + u64::from(self.byte() % 4) - 1,
            6 => 1 << (self.byte() % 64),
            _ => (u64::from(self.word()) << 32) | u64::from(self.word()),
        }
    }
}

/// Changes a byte string in one place, with parts of another.
pub fn mutate(bytes: &mut Vec<u8>, other: &[u8], choices: &mut Choices<'_>) {
    let at = choices.below(bytes.len() + 1);
    let end = (at + 1 + choices.below(32)).min(bytes.len());
    let part = at.min(end)..end;
    match choices.byte() % 12 {
        0 | 1 if at < bytes.len() => bytes[at] ^= 1 << (choices.byte() % 8),
        2 if at < bytes.len() => bytes[at] = choices.byte(),
        3 if at < bytes.len() => {
            bytes[at] = bytes[at].wrapping_add(choices.byte() % 5).wrapping_sub(2);
        }
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(part)),
        6 => {
            let length = choices.below(MOST_INSERTED);
            let inserted = choices.bytes(length).to_vec();
            bytes.splice(at..at, inserted);
        }
        7 => {
            let copied = bytes[part].to_vec();
            bytes.splice(at..at, copied);
        }
        8 => {
            let from = choices.below(other.len() + 1);
            let length = choices.below(256);
            let spliced = other[from..].iter().take(length).copied().collect::<Vec<_>>();
            bytes.splice(part, spliced);
        }
        9 => {
            let number = choices.number().to_be_bytes();
            let width = 1 << (choices.byte() % 4);
            let width = width.min(bytes.len() - at);
            bytes[at..at + width].copy_from_slice(&number[8 - width..]);
        }
        10 => {
            // Long inputs take long, and are seldom more to the point.
            let most = if choices.one_in(32) { MOST_REPEATS } else { 32 };
            let repeated = bytes[part].repeat(choices.below(most));
            bytes.splice(at..at, repeated);
        }
        _ => {
            bytes.truncate(at);
            bytes.extend_from_slice(&other[at.min(other.len())..]);
        }
    }
    bytes.truncate(LONGEST);
}

/// Changes the encoding of a value, if it is one of another value afterwards.
pub(crate) fn change_encoding<T: Serialize + DeserializeBytes>(
    value: &mut T,
    choices: &mut Choices<'_>,
) {
    let Ok(mut bytes) = encode(value) else { return };
    mutate(&mut bytes, &[], choices);
    if let Ok(other) = decode("another value", &bytes) {
        *value = other;
    }
}
