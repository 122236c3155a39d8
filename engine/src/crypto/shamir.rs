//! Shamir's secret sharing over GF(2^8), byte by byte: any `threshold` shares give the secret, and
//! fewer say nothing about it.
//!
//! A share is the point at which the polynomials were taken, from 1, and their values there, one for
//! each byte of the secret. The field is that of AES, modulo x^8 + x^4 + x^3 + x + 1. Products are
//! taken bit by bit without branches or tables, so that time says nothing of shares. The crates for
//! this bring elliptic curves and big numbers along, or choose their own form of a share; this is
//! one page.

use rand_core::Rng;
use zeroize::Zeroizing;

use super::types::Secret;

/// Why shares do not go together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ShareError {
    /// No such sharing.
    #[error("a secret is shared among 1 to 255, any 1 to {count} of whom find it, not {threshold}")]
    Threshold {
        /// Shares that are enough.
        threshold: u8,
        /// All shares.
        count: u8,
    },
    /// A share is empty, at the point of the secret itself, or of another length than the others.
    #[error("a share is no share, or of another secret than the others")]
    NotAShare,
    /// Two shares are at one point.
    #[error("two shares are at the same point")]
    SamePoint,
}

/// The product in GF(2^8).
fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & 0_u8.wrapping_sub((b >> bit) & 1);
        let carry = 0_u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (0x1b & carry);
    }
    product
}

/// The inverse in GF(2^8): the 254th power, and 0 for 0.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    for _ in 0..6 {
        power = multiply(multiply(power, power), a);
    }
    multiply(power, power)
}

/// Shares a secret out to `count`, any `threshold` of whom find it. Everything random is from `rng`.
pub fn share(
    secret: &Secret,
    threshold: u8,
    count: u8,
    rng: &mut dyn Rng,
) -> Result<Vec<Secret>, ShareError> {
    if !(1..=count).contains(&threshold) {
        return Err(ShareError::Threshold { threshold, count });
    }
    let secret = secret.as_slice();
    let mut coefficients = Zeroizing::new(vec![0; secret.len() * usize::from(threshold - 1)]);
    rng.fill_bytes(&mut coefficients);
    let at = |point: u8| {
        let mut share = Vec::with_capacity(1 + secret.len());
        share.push(point);
        share.extend(secret.iter().enumerate().map(|(at, byte)| {
            // Horner's rule, from the highest coefficient down to the secret.
            let own = coefficients.iter().skip(at).step_by(secret.len());
            let above = own.fold(0, |sum, coefficient| multiply(sum, point) ^ coefficient);
            multiply(above, point) ^ byte
        }));
        Secret::from(share)
    };
    Ok((1..=count).map(at).collect())
}

/// The secret that shares lead to: all of them are used, and whether they are enough and the right
/// ones shows by what comes of it.
pub fn combine(shares: &[&Secret]) -> Result<Secret, ShareError> {
    let points: Option<Vec<(u8, &[u8])>> =
        shares.iter().map(|share| share.as_slice().split_first().map(|(x, y)| (*x, y))).collect();
    let points = points.filter(|points| !points.is_empty()).ok_or(ShareError::NotAShare)?;
    let length = points[0].1.len();
    if points.iter().any(|(x, y)| *x == 0 || y.len() != length) {
        return Err(ShareError::NotAShare);
    }
    let mut secret = vec![0; length];
    for (at, (x, values)) in points.iter().enumerate() {
        // The Lagrange polynomial of this point, at 0.
        let mut weight = 1;
        for (_, (other, _)) in points.iter().enumerate().filter(|(number, _)| *number != at) {
            if other == x {
                return Err(ShareError::SamePoint);
            }
            weight = multiply(weight, multiply(*other, inverse(other ^ x)));
        }
        secret.iter_mut().zip(*values).for_each(|(sum, y)| *sum ^= multiply(*y, weight));
    }
    Ok(secret.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng(seed: u64) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(seed)
    }

    /// FIPS 197 §4.2: {57} x {83} = {c1}, {57} x {13} = {fe}; §4.2 again: {53} and {ca} are inverse.
    #[test]
    fn the_field_is_that_of_aes() {
        assert_eq!([multiply(0x57, 0x83), multiply(0x57, 0x13)], [0xc1, 0xfe]);
        assert_eq!([inverse(0x53), inverse(0xca), inverse(1), inverse(0)], [0xca, 0x53, 1, 0]);
        for a in 1..=u8::MAX {
            assert_eq!(multiply(a, inverse(a)), 1);
            for b in 0..=u8::MAX {
                assert_eq!(multiply(a, b), multiply(b, a));
                // It distributes over the sum.
                assert_eq!(multiply(a, b ^ 0x35), multiply(a, b) ^ multiply(a, 0x35));
            }
        }
    }

    /// f(x) = 2a + 03 x: worked out by hand, f(1) = 29, f(2) = 2c, f(3) = 2f.
    #[test]
    fn a_known_answer() {
        let shares = [[1, 0x29], [2, 0x2c], [3, 0x2f]].map(|share| Secret::from(share.to_vec()));
        for (one, other) in [(0, 1), (0, 2), (1, 2), (2, 0)] {
            let secret = combine(&[&shares[one], &shares[other]]).unwrap();
            assert_eq!(secret.as_slice(), [0x2a]);
        }
        let again = share(&Secret::from(vec![0x2a]), 2, 3, &mut rng(5)).unwrap();
        assert_eq!(again, share(&Secret::from(vec![0x2a]), 2, 3, &mut rng(5)).unwrap());
    }

    /// One share less than are enough goes with every secret alike: over all secrets of a byte, each
    /// is reached by exactly one further share.
    #[test]
    fn a_share_less_says_nothing() {
        let shares = share(&Secret::from(vec![0x2a]), 3, 5, &mut rng(1)).unwrap();
        for (one, other) in [(0, 1), (2, 4)] {
            let mut reached = [0; 256];
            for value in 0..=u8::MAX {
                let third = Secret::from(vec![4, value]);
                let shares: [&Secret; 3] = [&shares[one], &shares[other], &third];
                reached[usize::from(combine(&shares).unwrap().as_slice()[0])] += 1;
            }
            assert_eq!(reached, [1; 256]);
        }
    }

    #[test]
    fn what_is_no_sharing_is_refused() {
        let secret = Secret::from(vec![7; 32]);
        for (threshold, count) in [(0, 3), (4, 3), (1, 0)] {
            let refused = share(&secret, threshold, count, &mut rng(1));
            assert_eq!(refused, Err(ShareError::Threshold { threshold, count }));
        }
        let shares = share(&secret, 2, 3, &mut rng(1)).unwrap();
        assert_eq!(combine(&[]), Err(ShareError::NotAShare));
        assert_eq!(combine(&[&shares[0], &Secret::from(vec![])]), Err(ShareError::NotAShare));
        let short = Secret::from(vec![2; 32]);
        assert_eq!(combine(&[&shares[0], &short]), Err(ShareError::NotAShare));
        let at_zero = Secret::from(vec![0; 33]);
        assert_eq!(combine(&[&shares[0], &at_zero]), Err(ShareError::NotAShare));
        assert_eq!(combine(&[&shares[1], &shares[1]]), Err(ShareError::SamePoint));
    }

    proptest! {
        /// Any so many shares find the secret, in any order; one more does no harm; one less finds
        /// another.
        #[test]
        fn enough_shares_find_the_secret(
            secret in prop::collection::vec(any::<u8>(), 16..64),
            threshold in 1..6_u8,
            more in 0..4_u8,
            seed: u64,
            turn in 0..10_usize,
        ) {
            let secret = Secret::from(secret);
            let mut shares = share(&secret, threshold, threshold + more, &mut rng(seed)).unwrap();
            let count = shares.len();
            shares.rotate_left(turn % count);
            let all: Vec<&Secret> = shares.iter().collect();
            let enough = usize::from(threshold);
            for taken in enough..=count {
                prop_assert_eq!(&combine(&all[..taken]).unwrap(), &secret);
            }
            if threshold > 1 {
                prop_assert_ne!(&combine(&all[..enough - 1]).unwrap(), &secret);
            }
        }
    }
}
