//! Workloads: who is in a group, when they come, go and look at their screens, and what they
//! want. Drawn from the seed before and apart from any protocol, so that two strategies meet
//! the same people on the same days.
//!
//! | file | what it owns |
//! |---|---|
//! | `time` | virtual time in milliseconds, and its text form |
//! | `stream` | addressed random streams |
//! | `sample` | samplers with portable arithmetic |
//! | `scenario` | the scenario file: schema, loading, validation |
//! | `operations` | experiments given as sequences of operations |
//! | `study` | the study file: a grid of scenarios with a question |
//! | `trace` | activity logs in the place of drawn activity |
//! | `import` | activity logs of other kinds, as traces |
//! | `fit` | the parameters of a workload, estimated from a trace |
//! | `week` | the rhythm of days and weeks |
//! | `demand` | the people and their sessions |
//! | `groups` | which groups each user is in |
//! | `profile` | device profiles: what operations take |
//! | `shipped` | the scenarios that come with the lab |

mod demand;
mod fit;
mod groups;
mod import;
mod operations;
mod profile;
mod sample;
mod scenario;
mod shipped;
mod stream;
mod study;
mod time;
mod trace;
mod week;

pub use demand::{Demand, Loss, Person, Session, Sessions};
pub use fit::{
    Activity as FittedActivity, Arriving, Candidate, Counts, Family, FitError, FitOptions, Rhythms,
    Row, Staying, TraceFit, Zipf,
};
pub use import::{
    Columns, GIT_FORMAT, ImportError, Log, Malformed, Names, TimeFormat, import_csv, import_git,
    import_mbox,
};
pub use operations::{
    Absence, Amount, Commits, Experiment, ExperimentGroup, Inactive, Issuers, MAX_OPERATIONS, Mix,
    Operation, OperationKind, Operations, Sequence, Updated,
};
pub use profile::{Costs, Profile, find_profile, profiles};
pub use sample::{Distribution, Unit, zipf_weights};
pub use scenario::{
    Activity, Arrivals, Authentication, Batching, Compromise, Crowd, DeviceChanges, Expectation,
    Fidelity, Group, Groups, Joining, Losses, MAX_MEMBERS, Measure, Messages, Network, OldClients,
    Policy, Purge, Purged, Recovery, Removals, Rhythm, Scenario, ScenarioError, Service,
    SessionRules, Silent, Start, Workload, nearest,
};
pub use shipped::{Shipped, find_shipped, shipped};
pub use stream::{RootSeed, Stream};
pub use study::{
    Answer, Axis, AxisValue, Cell, Divisor, Expect, Filter, Fit, Form, Job, MAX_CELLS, Paired,
    Plot, Quick, Study, find_study, place, studies, value_text, value_texts,
};
pub use time::Millis;
pub use trace::{Trace, TraceError};
