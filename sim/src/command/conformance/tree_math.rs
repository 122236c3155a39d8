//! tree-math: the array form of a tree (RFC 9420 Appendix C).

use arboretum_engine::crypto::Crypto;
use arboretum_engine::tree::NodeIndex;
use serde_json::Value;

use super::case::Case;

pub(super) fn check(_: &Crypto<'_>, case: &Case<'_>) -> Result<(), String> {
    let leaves = case.index("n_leaves")?;
    // The tree is the smallest perfect one that holds the leaves.
    let width = leaves.checked_next_power_of_two().ok_or("field `n_leaves` is too large")?;
    let nodes = NodeIndex::node_count(width);
    let same = |name: &str, found: u32| {
        let expected = case.index(name)?;
        if found == expected { Ok(()) } else { Err(format!("{name} {found}, expected {expected}")) }
    };
    same("n_nodes", nodes)?;
    same("root", NodeIndex::root(width).0)?;
    for name in ["left", "right", "parent", "sibling"] {
        let relation = |node: NodeIndex| match name {
            "left" => node.left(),
            "right" => node.right(),
            "parent" => node.parent(width),
            _ => node.sibling(width),
        };
        let expected = case.list(name)?;
        if expected.len() != nodes as usize {
            return Err(format!("`{name}` has {} entries for {nodes} nodes", expected.len()));
        }
        for (node, expected) in (0..nodes).zip(expected) {
            let found = relation(NodeIndex(node)).map_or(Value::Null, |node| node.0.into());
            if found != *expected {
                return Err(format!("{name} of node {node} is {found}, expected {expected}"));
            }
        }
    }
    Ok(())
}
