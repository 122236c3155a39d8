//! The search for the largest size that holds: by doubling, then by bisection. It takes for granted that what
//! a group of some size cannot do, a larger one cannot either.

/// The first size that is tried.
const FIRST: u32 = 16;

/// The smallest group there is.
pub(super) const SMALLEST: u32 = 2;

/// The two sizes between which the answer lies are closer than a fiftieth of the smaller.
const CLOSE: u32 = 50;

/// What a search has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Not even the smallest group holds.
    None,
    /// The largest size tried that holds, and the smallest above it that does not.
    Between { largest: u32, fails: u32 },
    /// The largest size that was to be tried holds.
    AtLeast(u32),
}

/// Searches up to a size. `holds` tells of a size; none if somebody wants to stop.
pub(super) fn largest<E>(
    most: u32,
    mut holds: impl FnMut(u32) -> Result<Option<bool>, E>,
) -> Result<Option<Found>, E> {
    let most = most.max(SMALLEST);
    let (mut below, mut above) = (0, None);
    let mut size = FIRST.min(most);
    while above.is_none() {
        match holds(size)? {
            None => return Ok(None),
            Some(false) => above = Some(size),
            Some(true) if size == most => return Ok(Some(Found::AtLeast(most))),
            Some(true) => {
                below = size;
                size = size.saturating_mul(2).min(most);
            }
        }
    }
    let mut above = above.unwrap_or(size);
    if below == 0 {
        if above > SMALLEST {
            match holds(SMALLEST)? {
                None => return Ok(None),
                Some(true) => below = SMALLEST,
                Some(false) => return Ok(Some(Found::None)),
            }
        } else {
            return Ok(Some(Found::None));
        }
    }
    while above - below > (below / CLOSE).max(1) {
        let middle = below + (above - below) / 2;
        match holds(middle)? {
            None => return Ok(None),
            Some(true) => below = middle,
            Some(false) => above = middle,
        }
    }
    Ok(Some(Found::Between { largest: below, fails: above }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found where all up to a size hold, and the sizes that were tried.
    fn search(truth: u32, most: u32) -> (Found, Vec<u32>) {
        let mut tried = vec![];
        let found = largest(most, |size| {
            tried.push(size);
            Ok::<_, ()>(Some(size <= truth))
        });
        (found.unwrap().unwrap(), tried)
    }

    #[test]
    fn the_answer_is_close_whatever_it_is() {
        for truth in (2..300).chain([1_000, 4_096, 5_000, 99_999]) {
            let (found, tried) = search(truth, 100_000);
            let Found::Between { largest, fails } = found else { panic!("{truth}: {found:?}") };
            assert!(largest <= truth && truth < fails, "{truth}: {found:?}");
            assert!(fails - largest <= (largest / 50).max(1), "{truth}: {found:?}");
            assert!(tried.len() < 30, "{truth}: {tried:?}");
            let mut once = tried.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), tried.len(), "{truth}: {tried:?}");
        }
    }

    #[test]
    fn small_answers_are_exact_and_ends_are_told() {
        assert_eq!(search(37, 100).0, Found::Between { largest: 37, fails: 38 });
        for truth in [0, 1] {
            assert_eq!(search(truth, 100), (Found::None, vec![16, 2]));
        }
        assert_eq!(search(1, 2), (Found::None, vec![2]));
        assert_eq!(search(100, 100).0, Found::AtLeast(100));
        assert_eq!(search(u32::MAX, 10), (Found::AtLeast(10), vec![10]));
        assert_eq!(search(99, 100).0, Found::Between { largest: 99, fails: 100 });
        assert_eq!(search(2, 3).0, Found::Between { largest: 2, fails: 3 });
    }

    #[test]
    fn it_can_be_stopped_and_can_fail() {
        for stop_at in 1..8 {
            let mut left = stop_at;
            let found = largest(10_000, |size| {
                left -= 1;
                Ok::<_, ()>((left > 0).then_some(size < 100))
            });
            assert_eq!(found, Ok(None), "{stop_at}");
        }
        assert_eq!(largest(100, |_| Err("no")), Err("no"));
    }
}
