//! Device profiles: what each counted operation takes on some device, in microseconds. A file holds either
//! the costs themselves, or the shipped profile that they are those `of`, times a `factor`.

use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scenario::{ScenarioError, Wrong, check_name, nearest, require};
use crate::shipped::Shipped;

/// The longest that one operation may take, in microseconds: ten seconds.
const MAX_MICROS: f64 = 10_000_000.0;

/// The most that one device may be slower, or faster, than another.
const MAX_FACTOR: f64 = 10_000.0;

/// A device profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name, letters, digits and dashes.
    pub name: String,
    /// A line about the device.
    pub title: String,
    /// Where the numbers come from: text for people.
    pub source: String,
    /// A shipped profile whose costs these are, times `factor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// How many times as long everything takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The costs, by cipher suite.
    #[serde(default, rename = "suite", skip_serializing_if = "Vec::is_empty")]
    pub suites: Vec<Costs>,
}

macro_rules! costs {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        /// What each operation takes under a cipher suite, in microseconds, named as in the tables of a run.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct Costs {
            /// The cipher suite's number.
            pub number: u16,
            $($(#[$doc])* pub $name: f64,)+
            /// A plain Diffie-Hellman agreement; none where the KEM is over no such group.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub dh: Option<f64>,
            /// Each byte that is hashed beyond the few of a usual call.
            pub hash_byte: f64,
        }

        impl Costs {
            /// What an operation takes, by its name in the tables.
            pub fn of(&self, name: &str) -> Option<f64> {
                match name {
                    $(stringify!($name) => Some(self.$name),)+
                    "dh" => self.dh,
                    _ => None,
                }
            }

            fn all(&self) -> Vec<f64> {
                let known = [$(self.$name),+, self.hash_byte];
                known.into_iter().chain(self.dh).collect()
            }

            fn times(mut self, factor: f64) -> Self {
                $(self.$name *= factor;)+
                self.dh = self.dh.map(|micros| micros * factor);
                self.hash_byte *= factor;
                self
            }
        }
    };
}

costs! {
    /// A KEM key pair.
    kem_generate,
    /// A KEM encapsulation, with HPKE's key schedule.
    kem_encapsulate,
    /// A KEM decapsulation, with HPKE's key schedule.
    kem_decapsulate,
    /// A signature made.
    sign,
    /// A signature verified.
    verify,
    /// A hash of a short input.
    hash,
    /// A MAC of a short input.
    mac,
    /// `KDF.Extract`.
    kdf_extract,
    /// `KDF.Expand`.
    kdf_expand,
    /// An AEAD encryption of a short text.
    aead_seal,
    /// An AEAD decryption of a short text.
    aead_open,
}

impl Profile {
    /// Reads a profile file.
    pub fn load(path: &Path) -> Result<Self, ScenarioError> {
        let text = crate::scenario::read(path)?;
        Self::parse(&path.display().to_string(), &text)
    }

    /// Reads a profile from text; `file` names it in errors. Costs are those of this very device: what is
    /// a factor of another profile is multiplied out.
    pub fn parse(file: &str, text: &str) -> Result<Self, ScenarioError> {
        let mut read: Self = crate::scenario::parse(file, text, &[], Self::check)?;
        if let (Some(of), Some(factor)) = (&read.of, read.factor) {
            let base = find_profile(of).map_err(|_| {
                ScenarioError::new(file, text, format!("there is no shipped profile `{of}`"))
            })?;
            let base = crate::scenario::parse::<Self>(base.name, base.text, &[], Self::check)?;
            read.suites = base.suites.iter().map(|costs| costs.times(factor)).collect();
        }
        Ok(read)
    }

    /// The costs under a cipher suite.
    pub fn costs(&self, suite: u16) -> Option<&Costs> {
        self.suites.iter().find(|costs| costs.number == suite)
    }

    /// The JSON Schema of profile files.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    fn check(&self) -> Result<(), Wrong> {
        check_name(&self.name)?;
        require(!self.source.trim().is_empty(), "source", "say where the numbers come from")?;
        match (&self.of, self.factor) {
            (None, None) => {
                require(!self.suites.is_empty(), "suite", "no costs: give a [[suite]], or `of`")?;
            }
            (Some(of), Some(factor)) => {
                // One that is itself a factor of another is no ground to stand on.
                let whole = PROFILES.iter().filter(|shipped| shipped.text.contains("[[suite]]"));
                let whole: Vec<_> = whole.map(|shipped| shipped.name).collect();
                let near = nearest(of, whole.iter().copied()).unwrap_or(whole[0]);
                let what = format!(
                    "no costs in `{of}` (nearest: `{near}`): take one of {}",
                    whole.join(", ")
                );
                require(whole.contains(&of.as_str()), "of", what)?;
                let fits = (1.0 / MAX_FACTOR..=MAX_FACTOR).contains(&factor);
                require(
                    fits,
                    "factor",
                    format!("a factor of at most {MAX_FACTOR} or its inverse"),
                )?;
                require(self.suites.is_empty(), "suite", "costs are given twice, by `of` too")?;
            }
            (Some(_), None) => require(false, "factor", "`of` needs a `factor`")?,
            (None, Some(_)) => require(false, "of", "`factor` needs the profile it is `of`")?,
        }
        self.suites.iter().enumerate().try_for_each(|(at, costs)| {
            let twice = self.suites[..at].iter().any(|other| other.number == costs.number);
            require(!twice, "suite", format!("suite {} is there twice", costs.number))?;
            let possible = |micros: &f64| *micros > 0.0 && *micros <= MAX_MICROS;
            let what = format!(
                "suite {}: an operation takes more than 0 and at most {MAX_MICROS} microseconds",
                costs.number
            );
            require(costs.all().iter().all(possible), "suite", what)
        })
    }
}

macro_rules! ship {
    ($($name:literal),+ $(,)?) => {
        const PROFILES: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../profiles/", $name, ".toml")),
        }),+];
    };
}

ship!("phone", "laptop", "server");

/// The profiles that come with the lab.
pub fn profiles() -> &'static [Shipped] {
    PROFILES
}

/// The one of this name, or else the nearest name.
pub fn find_profile(name: &str) -> Result<Shipped, Option<&'static str>> {
    let found = PROFILES.iter().find(|shipped| shipped.name == name).copied();
    found.ok_or_else(|| nearest(name, PROFILES.iter().map(|shipped| shipped.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "
[[suite]]
number = 1
kem_generate = 1.0
kem_encapsulate = 2.0
kem_decapsulate = 3.0
sign = 4.0
verify = 5.0
hash = 6.0
mac = 7.0
kdf_extract = 8.0
kdf_expand = 9.0
aead_seal = 10.0
aead_open = 11.0
dh = 12.0
hash_byte = 0.5
";

    fn head(more: &str) -> String {
        format!("name = \"mine\"\ntitle = \"t\"\nsource = \"by hand\"\n{more}")
    }

    #[test]
    fn all_shipped_profiles_are_whole_and_slower_from_server_to_phone() {
        let costs = |name: &str| {
            let shipped = find_profile(name).unwrap();
            let profile = Profile::parse(shipped.name, shipped.text).unwrap();
            assert_eq!(profile.name, name);
            assert!(!shipped.title().is_empty());
            *profile.costs(1).unwrap()
        };
        let [server, laptop, phone] = ["server", "laptop", "phone"].map(costs);
        assert!(phone.verify > server.verify && phone.verify > laptop.verify);
        assert_eq!(find_profile("phnoe"), Err(Some("phone")));
    }

    #[test]
    fn costs_are_found_by_name_and_multiplied() {
        let profile = Profile::parse("mine", &head(SUITE)).unwrap();
        let costs = profile.costs(1).unwrap();
        assert_eq!(
            (costs.of("verify"), costs.of("dh"), costs.of("kem")),
            (Some(5.0), Some(12.0), None)
        );
        assert_eq!(costs.times(2.0).all().iter().sum::<f64>(), 2.0 * (78.0 + 0.5));
        assert!(profile.costs(2).is_none());
        let of = Profile::parse("mine", &head("of = \"server\"\nfactor = 3.0")).unwrap();
        let server = Profile::parse("server", find_profile("server").unwrap().text).unwrap();
        assert_eq!(of.costs(1).unwrap().sign, 3.0 * server.costs(1).unwrap().sign);
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_place() {
        let cases = [
            (head(""), "give a [[suite]]"),
            (head("of = \"server\""), "needs a `factor`"),
            (head("factor = 2.0"), "needs the profile"),
            (head("of = \"phone\"\nfactor = 2.0"), "no costs in `phone`"),
            (head("of = \"serve\"\nfactor = 2.0"), "nearest: `server`"),
            (head("of = \"server\"\nfactor = 0.0"), "factor"),
            (head("of = \"server\"\nfactor = nan"), "factor"),
            (head(&format!("of = \"server\"\nfactor = 2.0\n{SUITE}")), "given twice"),
            (head(&format!("{SUITE}{SUITE}")), "suite 1 is there twice"),
            (head(&SUITE.replace("verify = 5.0", "verify = 0.0")), "more than 0"),
            (head(&SUITE.replace("verify = 5.0", "verify = -1.0")), "more than 0"),
            (head(&SUITE.replace("verify = 5.0", "verify = inf")), "more than 0"),
            (head(&SUITE.replace("verify", "verfy")), "did you mean `verify`?"),
            (head(&SUITE.replace("sign = 4.0\n", "")), "missing field `sign`"),
            (head(SUITE).replace("by hand", " "), "where the numbers come from"),
            (head(SUITE).replace("\"mine\"", "\"a b\""), "a name is"),
            (String::new(), "empty"),
        ];
        for (text, part) in cases {
            let message = Profile::parse("mine.toml", &text).unwrap_err().to_string();
            assert!(message.starts_with("mine.toml"), "{message}");
            assert!(message.contains(part), "no `{part}` in {message}");
        }
    }
}
