//! Importers on hostile input: nothing panics, and what is taken is a trace with as many events and actors.

use arboretum_workloads::{
    Columns, ImportError, Log, Malformed, Names, TimeFormat, Trace, import_csv, import_git,
    import_mbox,
};
use proptest::prelude::*;

/// What came of some input, if anything, is a trace.
fn holds(imported: Result<Log, ImportError>) {
    let Ok(log) = imported else { return };
    assert_eq!(log.skipped() == 0, log.first_skipped().is_none());
    let trace = Trace::parse("t", log.to_csv(Names::Numbers).unwrap().as_bytes());
    // What lasts longer than a hundred years is no trace, and nothing else is refused.
    match trace {
        Ok(trace) => assert_eq!((trace.events(), trace.actors()), (log.events(), log.actors())),
        Err(error) => assert!(error.what.contains("a hundred years"), "{error}"),
    }
    if let Ok(kept) = log.to_csv(Names::Kept)
        && let Ok(trace) = Trace::parse("t", kept.as_bytes())
    {
        assert_eq!(trace.events(), log.events());
        assert_eq!(trace.actors(), log.actors());
    }
}

fn all(input: &[u8]) {
    for malformed in [Malformed::Refuse, Malformed::Skip] {
        holds(import_git("git", input, malformed));
        holds(import_mbox("mbox", input, malformed));
        for (_, format) in TimeFormat::ALL {
            let columns = Columns { time: "t".into(), format, actor: "a".into(), delimiter: b',' };
            holds(import_csv("csv", input, &columns, malformed));
        }
    }
}

/// Pieces that the formats are made of, so that some of it is read.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "t,a\n",
        "1,x\n",
        "1521676800000,\" y\"\n",
        "2018-03-22T10:00:00Z,z\n",
        "From x\n",
        "From: A <a@x>\n",
        "From: a at x\n",
        "From: g: a@x, b@x;\n",
        "Date: Thu, 22 Mar 2018 10:00:00 +0100\n",
        "Date: 22 Mar 99 10:00 EST\n",
        " folded\n",
        "\n",
        "\r\n",
        "5\0a@x\0A\n",
        "5\0\0\0",
        ",",
        "\"",
        "\u{fffd}",
    ]);
    let piece = prop_oneof![
        8 => known.prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn hostile_logs_are_refused_or_taken_whole(input in pieces()) {
        all(&input);
    }
}
