//! What the numbers of a summary mean, a line each, for `arboretum list metrics`.

/// Keys of a summary, or the beginnings of several, and what they count.
const TEXTS: &[(&str, &str)] = &[
    ("schema", "version of the summary's layout"),
    ("seed", "the root seed"),
    ("virtual_time_s", "simulated time, seconds"),
    ("members.", "group size"),
    ("members.ever", "clients that were members at some time"),
    ("operations.", "members added, removed, updating, after the group was made"),
    (
        "rebalancing.commits",
        "commits by which members moved, by themselves or removed and added at once",
    ),
    ("rebalancing.moves", "members who moved by them, or got a fresh leaf where they were"),
    ("rebalancing.bytes", "bytes of those commits and their Welcomes"),
    ("rebalancing.encapsulations", "public-key encryptions made for them"),
    ("quarantine.made", "silent members that were made ghosts: others make their keys"),
    (
        "quarantine.renewed",
        "new keys of ghosts, by the clock or since one who knew the old one went",
    ),
    ("quarantine.shares", "shares of ghosts' keys sent to holders"),
    ("quarantine.bytes", "bytes of the proposals with ghosts' keys and shares"),
    ("quarantine.returned", "ghosts that came back, and asked for shares"),
    ("quarantine.waited", "of these, those that found no quorum online at once"),
    ("quarantine.recovered", "ghosts that found their keys by shares"),
    ("quarantine.entered_anew", "ghosts that entered anew, and lost what was sent meanwhile"),
    ("quarantine.removed", "ghosts that were removed"),
    ("quarantine.answers", "answers of holders to ghosts that asked"),
    ("quarantine.exchange_bytes", "bytes of requests for shares and of answers"),
    ("quarantine.ghosts_mean", "ghosts at a snapshot, on average"),
    ("quarantine.ghosts_max", "the most ghosts after any commit"),
    ("quarantine.quorums_max", "the most pairs of members at a snapshot who know a ghost's key"),
    ("epochs", "the last epoch"),
    ("commits.", "commits by fate and kind"),
    ("by_kind.update.", "commits that add and remove nobody: how many, and means of one"),
    ("by_kind.add.", "commits that only add: how many, and means of one"),
    ("by_kind.remove.", "commits that only remove: how many, and means of one"),
    ("by_kind.add_remove.", "commits that do both: how many, and means of one"),
    ("rejected_work.", "what commits that lost the race had cost"),
    ("leaves", "members that left by their own wish"),
    ("evictions", "members evicted by a policy"),
    ("welcomes.", "Welcome messages and their bytes"),
    ("ciphertexts", "ciphertexts in all accepted commits"),
    ("update_cost.ciphertexts.", "ciphertexts of a member's path update"),
    ("update_cost.bytes.", "bytes of the path: leaf node, public keys, ciphertexts"),
    ("expected_update_cost.", "ciphertexts of an update, mean over all members"),
    ("active_update_cost.", "the same, each member weighted by its commits so far and one"),
    ("huffman_bound.", "the least active update cost that any tree could have"),
    ("regret.", "active update cost less its Huffman bound"),
    ("wasted_ciphertexts", "ciphertexts beyond log2(members) rounded up, all path updates"),
    ("blank_paths.closed", "removed members whose path has all keys again"),
    ("blank_paths.open", "removed members whose path still lacks keys at the end"),
    ("blank_paths.seconds.", "from a removal to the first snapshot with all keys back"),
    ("evicted.people", "clients evicted at some time, each counted once"),
    ("evicted.people_back", "of these, those that were let in again"),
    ("evicted.times_back", "how often somebody was let in again after an eviction"),
    ("joins.bytes.", "bytes of the Welcome and the tree that a newcomer fetches"),
    ("key_age_s.", "of members at the end, since the keys of their leaves were made, seconds"),
    ("tree.", "the tree at the end"),
    ("tree.width_over_members", "leaves for each member at the end"),
    ("catch_up.", "what a returning client fetches and processes"),
    ("audits.", "clients that did everything from the wire"),
    ("invariants.", "checks of the simulated world"),
    ("materialised", "clients that became full members in a shared run"),
    ("host.", "the machine's side, never part of a digest"),
    ("ops.", "operations of all clients"),
    ("messages.sent", "application messages sent, attachments among them"),
    ("messages.attachments", "attachments sent"),
    ("messages.bytes_sent", "bytes that senders of messages uploaded"),
    ("messages.due", "copies: one message for one member of its sender's epoch"),
    ("messages.read", "copies opened, whose text was the one sent"),
    ("messages.overtaken", "of these, those that a commit had overtaken"),
    ("messages.lost", "copies lost on the way"),
    ("messages.expired", "copies that no mailbox kept until they were asked for"),
    ("messages.too_late", "copies that came when their keys were erased"),
    (
        "messages.forfeited",
        "copies whose recipient lost its state, or got a new one, before reading",
    ),
    ("messages.waiting", "copies whose recipient had not come for them at the end"),
    ("messages.pried", "attempts of others to open a message, all in vain"),
    ("messages.bytes_received", "bytes of messages that recipients fetched"),
    ("messages.delay_ms.", "from the Delivery Service to being read, milliseconds"),
    ("links.joins", "clients that added themselves by an invitation link"),
    ("links.bytes", "bytes of their commits"),
    ("links.bytes_fetched", "bytes of the GroupInfo and the tree that they fetched"),
    ("recovery.losses", "devices lost whose client was a member"),
    ("recovery.backups_restored", "backups that were as new as what was lost"),
    ("recovery.stale_backups", "backups that were older: found out, and not used"),
    ("recovery.cut_off", "members away for longer than mailboxes keep what they missed"),
    ("recovery.rejoined", "members that came back by a commit of their own"),
    ("recovery.readded", "members that another removed and added for it"),
    ("recovery.bytes", "of those who rejoined, bytes of their commits and of what they fetched"),
    ("recovery.ms.", "from coming online without a state to having one, milliseconds"),
    ("devices.asked", "further devices that asked the others of their user"),
    ("devices.added", "of these, those that one of them has added"),
    ("healing.copies", "states of members that were copied; 0 without `measure.compromise`"),
    ("healing.healed", "of these, those that came to an epoch which they do not lead to"),
    (
        "healing.reopened",
        "of these, those that a copied key package or a ghost's shares led to an epoch again",
    ),
    ("healing.still_known", "copies that lead to the newest epoch at the end"),
    ("healing.epochs.", "healing time: from a copy to the first epoch it cannot derive, epochs"),
    ("healing.seconds.", "healing time of those that healed, seconds"),
    (
        "healing.exposed_seconds.",
        "time in which a copy led to the newest epoch, of all copies, seconds",
    ),
    ("healing.residual_seconds.", "until nothing can follow from a copy any more, seconds"),
    ("healing.messages_after.", "messages sent after a copy that it opens"),
    ("healing.messages_before.", "messages sent before a copy that it opens"),
    ("healing.oldest_before_s.", "age of the oldest of these, seconds"),
    ("metadata.services", "Delivery Services"),
    ("metadata.first.", "what the first service sees, which decides the order"),
    ("metadata.others.", "what the others see, together"),
    ("credentials.issued", "credentials that the Authentication Service has issued"),
    ("credentials.rotated", "signature keys replaced, by a commit of their client"),
    ("credentials.revoked", "credentials taken back"),
    ("abilities.old_members", "members with an old client at the end"),
    ("abilities.suites_", "cipher suites that all members have, where some clients are old"),
    ("abilities.extensions_", "extensions that all members know, likewise"),
    ("exposure.nodes", "nodes known to somebody who is not a member below them (ART), at the end"),
    ("exposure.former_members", "ended memberships that still know a node (ART), at the end"),
    ("abilities.refused", "clients that nobody could add: no cipher suite in common"),
    ("groups.count", "groups of the same people; 0 where there is but one, as all of `groups.`"),
    ("groups.memberships", "members of all groups at the end, a client once for each of its own"),
    ("groups.of_client.", "groups of a client"),
    ("groups.largest_further", "members at the end of the largest group but the first"),
    ("groups.smallest", "members at the end of the smallest group"),
    ("groups.commits", "commits accepted in all groups"),
    ("groups.ciphertexts", "ciphertexts in them"),
    ("groups.adds", "members added in all groups"),
    ("groups.removes", "members removed in all groups"),
    ("groups.devices_added", "further devices added, once for each group"),
    ("groups.rotated", "signature keys replaced, once for each group"),
    ("groups.messages_read", "copies of messages opened in all groups"),
    ("groups.bytes_received.", "bytes that a client received in all its groups"),
    ("groups.bytes_sent.", "bytes that a client sent in all its groups"),
    ("groups.commits_processed.", "commits that a client processed in all its groups"),
    ("groups.commits_sent.", "commits that a client sent in all its groups"),
    ("groups.audits", "audits in all groups"),
    ("groups.checks", "checks in all groups"),
    ("key_server.", "what a trusted key server holds and does; no client is charged for it"),
    ("key_server.keys", "keys of the group that it holds at the end"),
];

/// What a number of a summary means; empty if there is no such number.
pub fn metric_text(name: &str) -> &'static str {
    let fits = |(key, _): &&(&str, &str)| {
        if key.ends_with(['.', '_']) { name.starts_with(key) } else { name == *key }
    };
    let longest = TEXTS.iter().filter(fits).max_by_key(|(key, _)| key.len());
    longest.map_or("", |(_, text)| text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Summary;

    #[test]
    fn every_number_is_explained_and_nothing_else() {
        let names = Summary::metric_names();
        for name in &names {
            assert!(!metric_text(name).is_empty(), "{name} is not explained");
        }
        for (key, _) in TEXTS.iter().filter(|(key, _)| *key != "ops.") {
            assert!(names.iter().any(|name| name.starts_with(key)), "{key} is no number");
        }
    }
}
