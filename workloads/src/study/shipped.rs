//! The studies that come with the lab.

use crate::scenario::nearest;
use crate::shipped::Shipped;

macro_rules! ship {
    ($($name:literal),+ $(,)?) => {
        const STUDIES: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../studies/", $name, ".toml")),
        }),+];
    };
}

ship!(
    // The questions of the meeting of 2018, and of those that followed.
    "fifty-thousand",
    "scaling",
    "scaling-lived-in",
    "tree-growth",
    "rebalance",
    "history",
    "two-servers",
    "evict-first",
    "eviction",
    "offline",
    "creation",
    "join-link",
    "devices",
    "recovery",
    "sequencing",
    "conference",
    "versus",
    "healing",
    "forward-secrecy",
    // Experiments of papers, made again.
    "ttkem-2021",
    "ttkem-2021-administrators",
    "multicast-2022",
    "multicast-2022-removals",
    "concurrent-2025",
    "bonsai-2024",
    "quarantined-2024",
);

/// All of them.
pub fn studies() -> &'static [Shipped] {
    STUDIES
}

/// The one of this name, or else the nearest name.
pub fn find_study(name: &str) -> Result<Shipped, Option<&'static str>> {
    let found = STUDIES.iter().find(|shipped| shipped.name == name).copied();
    found.ok_or_else(|| nearest(name, STUDIES.iter().map(|shipped| shipped.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::{Filter, Study};

    #[test]
    fn every_study_can_be_laid_out() {
        for shipped in studies() {
            let study = Study::parse(shipped.name, shipped.text).unwrap();
            assert_eq!(study.name, shipped.name);
            let all = study.cells(shipped.name, &Filter::default()).unwrap();
            let quick = Filter { quick: true, ..Filter::default() };
            let quick = study.cells(shipped.name, &quick).unwrap();
            assert!(!quick.is_empty() && quick.len() < all.len(), "{}", shipped.name);
            assert_eq!(Study::parse("again", &study.to_toml()).unwrap(), study);
        }
    }
}
