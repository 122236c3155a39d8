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
//! | `demand` | the people and their sessions |
//! | `groups` | which groups each user is in |
//! | `profile` | device profiles: what operations take |
//! | `shipped` | the scenarios that come with the lab |

mod demand;
mod groups;
mod operations;
mod profile;
mod sample;
mod scenario;
mod shipped;
mod stream;
mod study;
mod time;
mod trace;

pub use demand::{Demand, Loss, Person, Session, Sessions};
pub use operations::{
    Absence, Amount, Commits, Experiment, ExperimentGroup, Inactive, Issuers, MAX_OPERATIONS, Mix,
    Operation, OperationKind, Operations, Sequence, Updated,
};
pub use profile::{Costs, Profile, find_profile, profiles};
pub use sample::{Distribution, Unit, zipf_weights};
pub use scenario::{
    Activity, Arrivals, Authentication, Batching, Crowd, DeviceChanges, Expectation, Fidelity,
    Group, Groups, Joining, Losses, MAX_MEMBERS, Measure, Messages, Network, OldClients, Policy,
    Recovery, Removals, Rhythm, Scenario, ScenarioError, Service, SessionRules, Silent, Start,
    Workload, nearest,
};
pub use shipped::{Shipped, find_shipped, shipped};
pub use stream::{RootSeed, Stream};
pub use study::{
    Axis, AxisValue, Cell, Expect, Filter, Fit, Form, Job, MAX_CELLS, Paired, Plot, Quick, Study,
    find_study, place, studies, value_text,
};
pub use time::Millis;
pub use trace::{Trace, TraceError};
