//! Counts times a device profile: what work takes on some device. Counts are exact; prices are not, and are
//! part of no digest.

use std::path::Path;

use arboretum_results::{WorkKind, WorkRow, WorkTable};
use arboretum_workloads::{Costs, Profile, find_profile, profiles};

use super::failure::Failure;

/// How often each byte sent or received is hashed beyond what the ledger counts: under a signature, and into
/// the transcript. The ledger counts a hash of any length as one.
const HASHED: f64 = 2.0;

/// A week, in seconds.
pub(crate) const WEEK_S: u64 = 7 * 86_400;

/// A day, in seconds.
const DAY_S: f64 = 86_400.0;

/// The profile of a file, or the shipped one of that name.
pub(crate) fn load(given: &str) -> Result<Profile, Failure> {
    let refused = |error| Failure::Scenario(Box::new(error));
    let path = Path::new(given);
    if path.is_file() {
        return Profile::load(path).map_err(refused);
    }
    match find_profile(given) {
        Ok(found) => Profile::parse(found.name, found.text).map_err(refused),
        Err(near) => {
            let names: Vec<_> = profiles().iter().map(|shipped| shipped.name).collect();
            let help = match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!(
                    "shipped profiles: {}; `arboretum calibrate` measures this machine",
                    names.join(", ")
                ),
            };
            let what = format!("`{given}` is neither a file nor a shipped profile");
            Err(Failure::input_with_help(what, help))
        }
    }
}

/// What a number of events cost, each: five figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figures {
    pub(crate) count: u64,
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Figures {
    /// The figures of groups of events: how many are in each, and what one of it costs on average.
    pub(crate) fn of(mut groups: Vec<(u64, f64)>) -> Option<Self> {
        groups.retain(|(count, _)| *count > 0);
        groups.sort_by(|one, other| one.1.total_cmp(&other.1));
        let count: u64 = groups.iter().map(|(count, _)| count).sum();
        let max = groups.last()?.1;
        let total: f64 = groups.iter().map(|(count, each)| *count as f64 * each).sum();
        let quantile = |share: f64| {
            // The first that has so many at or below it.
            let wanted = (share * count as f64).ceil() as u64;
            let mut below = 0;
            let reaches = |(count, _): &&(u64, f64)| {
                below += count;
                below >= wanted
            };
            groups.iter().find(reaches).map_or(max, |(_, each)| *each)
        };
        let (p50, p90, p99) = (quantile(0.5), quantile(0.9), quantile(0.99));
        Some(Self { count, mean: total / count as f64, p50, p90, p99, max })
    }

    /// The same plus as much for every event.
    fn plus(self, each: f64) -> Self {
        Self {
            count: self.count,
            mean: self.mean + each,
            p50: self.p50 + each,
            p90: self.p90 + each,
            p99: self.p99 + each,
            max: self.max + each,
        }
    }
}

/// A table of work under a profile. Costs are in seconds.
pub(crate) struct Priced<'w> {
    work: &'w WorkTable,
    /// By operation; none that the profile does not know and nobody has done.
    each: Vec<f64>,
    byte: f64,
    days: f64,
}

impl<'w> Priced<'w> {
    /// Prices the work of a run under a suite, which took so long in virtual time.
    pub(crate) fn new(
        work: &'w WorkTable,
        profile: &Profile,
        suite: u16,
        virtual_time_s: f64,
    ) -> Result<Self, Failure> {
        let costs = profile.costs(suite).ok_or_else(|| {
            let known: Vec<_> = profile.suites.iter().map(|it| it.number.to_string()).collect();
            Failure::input_with_help(
                format!("profile {}: no costs of cipher suite {suite}", profile.name),
                format!(
                    "it has {}; measure: arboretum calibrate --suite {suite}",
                    known.join(", ")
                ),
            )
        })?;
        let each = work.op_names.iter().enumerate().map(|(at, name)| {
            let done = work.rows.iter().any(|row| row.ops[at] > 0);
            cost(costs, name, done).ok_or_else(|| {
                let what = format!("profile {}: what `{name}` takes is not in it", profile.name);
                Failure::input_with_help(what, "measure it: arboretum calibrate")
            })
        });
        let each = each.collect::<Result<_, _>>()?;
        let byte = HASHED * costs.hash_byte * 1e-6;
        Ok(Self { work, each, byte, days: virtual_time_s / DAY_S })
    }

    /// What all events of a row cost.
    fn total(&self, row: &WorkRow) -> f64 {
        let ops = row.ops.iter().zip(&self.each).map(|(count, each)| *count as f64 * each);
        ops.sum::<f64>() + row.bytes as f64 * self.byte
    }

    fn figures<'r>(&self, rows: impl Iterator<Item = &'r WorkRow>) -> Option<Figures> {
        Figures::of(rows.map(|row| (row.count, self.total(row) / row.count as f64)).collect())
    }

    /// Making a commit that creates the group, or any other.
    pub(crate) fn make(&self, creation: bool) -> Option<Figures> {
        let kind = if creation { WorkKind::Create } else { WorkKind::Make };
        self.figures(self.work.of(kind))
    }

    /// Processing a commit, over commits: what all do in public, and what each does beside that on average.
    pub(crate) fn process(&self) -> Option<Figures> {
        let (mut own, mut commits) = (0.0, 0);
        for row in self.work.of(WorkKind::Follow) {
            own += self.total(row);
            commits += row.commits;
        }
        let own = if commits == 0 { 0.0 } else { own / commits as f64 };
        Some(self.figures(self.work.of(WorkKind::Process))?.plus(own))
    }

    /// Coming into the group.
    pub(crate) fn join(&self) -> Option<Figures> {
        self.figures(self.work.of(WorkKind::Join))
    }

    /// Catching up, whatever the time away.
    pub(crate) fn catch_up(&self) -> Option<Figures> {
        self.figures(self.work.of(WorkKind::CatchUp))
    }

    /// Catching up after about a week: times away are kept in steps of a third or a half.
    pub(crate) fn catch_up_after_a_week(&self) -> Option<Figures> {
        let is_week =
            |row: &&WorkRow| row.away_s.is_some_and(|(from, to)| (from..to).contains(&WEEK_S));
        self.figures(self.work.of(WorkKind::CatchUp).filter(is_week))
    }

    /// A day of a client that was a member at both ends of the run: processor time.
    pub(crate) fn client_day(&self) -> Option<Figures> {
        let rows = self.work.of(WorkKind::Client);
        let day = |row: &WorkRow| (row.count, self.total(row) / row.count as f64 / self.days);
        Figures::of(rows.map(day).collect())
    }

    /// The same: bytes received and sent.
    pub(crate) fn client_day_bytes(&self) -> Option<Figures> {
        let rows = self.work.of(WorkKind::Traffic);
        let day = |row: &WorkRow| (row.count, row.bytes as f64 / row.count as f64 / self.days);
        Figures::of(rows.map(day).collect())
    }

    /// The most bytes that a member keeps, by a model.
    pub(crate) fn state_bytes(&self) -> Option<u64> {
        self.work.of(WorkKind::State).map(|row| row.bytes).max()
    }
}

/// What one operation takes, in seconds.
fn cost(costs: &Costs, name: &str, done: bool) -> Option<f64> {
    match costs.of(name) {
        Some(micros) => Some(micros * 1e-6),
        None => (!done).then_some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use arboretum_engine::crypto::Op;

    use super::*;

    const OPS: [&str; 2] = ["sign", "dh"];

    fn profile(dh: &str) -> Profile {
        let costs = Op::ALL.map(Op::name).into_iter().filter(|name| *name != "dh");
        // Each operation takes as many microseconds as its name has letters.
        let costs = costs.map(|name| format!("{name} = {}.0\n", name.len()));
        let text = format!(
            "name = \"mine\"\ntitle = \"t\"\nsource = \"by hand\"\n[[suite]]\nnumber = 1\nhash_byte = 0.5\n{dh}\n{}",
            costs.collect::<String>()
        );
        Profile::parse("mine", &text).unwrap()
    }

    fn row(kind: WorkKind, count: u64, bytes: u64, ops: [u64; 2]) -> WorkRow {
        let away_s = None;
        WorkRow { kind, away_s, count, commits: count, bytes, ops: ops.to_vec() }
    }

    fn table(rows: Vec<WorkRow>) -> WorkTable {
        WorkTable { op_names: OPS.map(str::to_owned).to_vec(), rows }
    }

    #[test]
    fn a_profile_knows_every_operation_of_the_ledger() {
        let profile = profile("dh = 2.0");
        for op in Op::ALL {
            let known = profile.costs(1).unwrap().of(op.name());
            assert_eq!(known, Some(op.name().len() as f64), "{}", op.name());
        }
    }

    #[test]
    fn prices_are_counts_times_costs() {
        let work = table(vec![
            // 90 at 1 sign each, 10 at 5 signs, 2 agreements and 100 bytes each.
            row(WorkKind::Make, 90, 0, [90, 0]),
            row(WorkKind::Make, 10, 1_000, [50, 20]),
            row(WorkKind::Process, 4, 0, [4, 0]),
            row(WorkKind::Follow, 8, 0, [0, 4]),
            row(WorkKind::Client, 2, 20, [8, 0]),
            row(WorkKind::Traffic, 2, 20, [0, 0]),
            row(WorkKind::State, 1, 77, [0, 0]),
        ]);
        let priced = Priced::new(&work, &profile("dh = 2.0"), 1, 2.0 * 86_400.0).unwrap();
        let close =
            |found: f64, micros: f64| assert!((found * 1e6 - micros).abs() < 1e-9, "{found}");
        let make = priced.make(false).unwrap();
        // Sign takes 4, an agreement 2, a byte 2 × 0.5.
        let dear = 5.0 * 4.0 + 2.0 * 2.0 + 100.0;
        assert_eq!(make.count, 100);
        close(make.mean, 0.9 * 4.0 + 0.1 * dear);
        [(make.p50, 4.0), (make.p90, 4.0), (make.p99, dear), (make.max, dear)]
            .into_iter()
            .for_each(|(found, micros)| close(found, micros));
        // Half an agreement a commit beside what all do.
        close(priced.process().unwrap().p99, 4.0 + 1.0);
        close(priced.client_day().unwrap().mean, (4.0 * 4.0 + 10.0) / 2.0);
        assert_eq!(priced.client_day_bytes().unwrap().max, 5.0);
        assert_eq!(priced.state_bytes(), Some(77));
        assert!(priced.join().is_none() && priced.make(true).is_none());
    }

    #[test]
    fn only_a_week_away_is_a_week_away() {
        let away = |from: u64, to: u64, signs: u64| WorkRow {
            away_s: Some((from, to)),
            ..row(WorkKind::CatchUp, 1, 0, [signs, 0])
        };
        let work = table(vec![
            away(0, WEEK_S, 1),
            away(WEEK_S, WEEK_S + 1, 3),
            away(WEEK_S + 1, WEEK_S * 2, 9),
        ]);
        let priced = Priced::new(&work, &profile("dh = 2.0"), 1, 1.0).unwrap();
        let week = priced.catch_up_after_a_week().unwrap();
        assert_eq!((week.count, (week.mean * 1e6).round()), (1, 12.0));
        assert_eq!(priced.catch_up().unwrap().count, 3);
    }

    #[test]
    fn what_a_profile_lacks_is_refused_only_if_it_was_done() {
        let idle = table(vec![row(WorkKind::Make, 1, 0, [1, 0])]);
        assert!(Priced::new(&idle, &profile(""), 1, 1.0).is_ok());
        let busy = table(vec![row(WorkKind::Make, 1, 0, [1, 1])]);
        for (work, suite) in [(&busy, 1), (&idle, 2)] {
            assert!(Priced::new(work, &profile(""), suite, 1.0).is_err());
        }
    }
}
