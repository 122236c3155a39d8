//! One declaration per record: the fields of the struct are also the columns of its table and the
//! order of its bytes in the digest, so the three cannot drift apart.
//!
//! A field may be followed by `[method, …]`: columns computed at write time, which readers skip.
//! `later` fields came after the first tables and digests were recorded: a table may lack them, and
//! they are no part of a digest. They retell what other records say.

use crate::digest::RunDigest;

/// A value that stands in a table cell and in the digest.
pub(crate) trait Cell: Sized {
    /// What a reader is told to put there.
    const EXPECTED: &'static str;
    fn text(&self) -> String;
    fn parse(text: &str) -> Option<Self>;
    fn digest(&self, digest: &mut RunDigest);
}

macro_rules! integer_cell {
    ($type:ty) => {
        impl Cell for $type {
            const EXPECTED: &'static str = "a whole number, 0 or more";
            fn text(&self) -> String {
                self.to_string()
            }
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
            fn digest(&self, digest: &mut RunDigest) {
                digest.bytes(&self.to_le_bytes());
            }
        }
    };
}
integer_cell!(u32);
integer_cell!(u64);

impl Cell for bool {
    const EXPECTED: &'static str = "true or false";
    fn text(&self) -> String {
        self.to_string()
    }
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn digest(&self, digest: &mut RunDigest) {
        digest.bytes(&[u8::from(*self)]);
    }
}

/// What nobody counted is an empty cell: a 0 would claim that there was nothing.
impl<T: Cell> Cell for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn text(&self) -> String {
        self.as_ref().map_or_else(String::new, T::text)
    }
    fn parse(text: &str) -> Option<Self> {
        if text.is_empty() { Some(None) } else { T::parse(text).map(Some) }
    }
    fn digest(&self, digest: &mut RunDigest) {
        digest.bytes(&[u8::from(self.is_some())]);
        self.iter().for_each(|value| value.digest(digest));
    }
}

/// A value that is computed at write time and never read back.
pub(crate) trait Derived {
    fn text(&self) -> String;
}

macro_rules! derived_cell {
    ($type:ty) => {
        impl Derived for $type {
            fn text(&self) -> String {
                self.to_string()
            }
        }
    };
}
derived_cell!(u64);
derived_cell!(f64);
derived_cell!(&str);

impl<T: Derived> Derived for Option<T> {
    fn text(&self) -> String {
        self.as_ref().map_or_else(String::new, T::text)
    }
}

/// Gives the text of the cell under a column name, or why there is none.
pub(crate) trait Cells {
    fn has(&self, column: &str) -> bool;
    fn cell<T: Cell>(&self, column: &str) -> Result<T, crate::ResultsError>;
}

/// Declares a record. `lists` are fields outside the fixed columns; their owner writes, reads and
/// digests them.
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $record:ident {
            $( $(#[$field_doc:meta])* $field:ident : $type:ty $([$($derived:ident),+])? , )*
        }
        $( later {
            $( $(#[$later_doc:meta])* $later:ident : $later_type:ty
                $([$($later_derived:ident),+])? , )*
        } )?
        $( lists { $( $(#[$list_doc:meta])* $list:ident : $list_type:ty , )* } )?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $record {
            $( $(#[$field_doc])* pub $field: $type, )*
            $($( $(#[$later_doc])* pub $later: $later_type, )*)?
            $($( $(#[$list_doc])* pub $list: $list_type, )*)?
        }

        #[allow(dead_code)] // A record may be digested without having a table.
        impl $record {
            /// Names of the fixed columns, in the order they are written.
            pub(crate) fn columns() -> Vec<&'static str> {
                vec![
                    $( stringify!($field), $( $( stringify!($derived), )+ )? )*
                    $($( stringify!($later), $( $( stringify!($later_derived), )+ )? )*)?
                ]
            }

            pub(crate) fn cells(&self) -> Vec<String> {
                vec![
                    $(
                        $crate::table::Cell::text(&self.$field),
                        $( $( $crate::table::Derived::text(&self.$derived()), )+ )?
                    )*
                    $($(
                        $crate::table::Cell::text(&self.$later),
                        $( $( $crate::table::Derived::text(&self.$later_derived()), )+ )?
                    )*)?
                ]
            }

            pub(crate) fn from_cells(
                cells: &impl $crate::table::Cells,
            ) -> Result<Self, $crate::ResultsError> {
                Ok(Self {
                    $( $field: cells.cell(stringify!($field))?, )*
                    $($(
                        $later: match cells.has(stringify!($later)) {
                            true => cells.cell(stringify!($later))?,
                            false => <$later_type>::default(),
                        },
                    )*)?
                    $($( $list: <$list_type>::default(), )*)?
                })
            }

            pub(crate) fn digest_fields(&self, digest: &mut $crate::digest::RunDigest) {
                $( $crate::table::Cell::digest(&self.$field, digest); )*
            }
        }
    };
}
pub(crate) use record;
