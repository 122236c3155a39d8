//! One declaration per record: the fields of the struct are also the columns of its table and the
//! order of its bytes in the digest, so the three cannot drift apart.
//!
//! A field may be followed by `[method]`: a column computed at write time, which readers skip.

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

/// Gives the text of the cell under a column name, or why there is none.
pub(crate) trait Cells {
    fn cell<T: Cell>(&self, column: &str) -> Result<T, crate::ResultsError>;
}

/// Declares a record. `lists` are fields outside the fixed columns; their owner writes, reads and
/// digests them.
macro_rules! record {
    (
        $(#[$doc:meta])*
        pub struct $record:ident {
            $( $(#[$field_doc:meta])* $field:ident : $type:ty $([$derived:ident])? , )*
        }
        $( lists { $( $(#[$list_doc:meta])* $list:ident : $list_type:ty , )* } )?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq)]
        pub struct $record {
            $( $(#[$field_doc])* pub $field: $type, )*
            $($( $(#[$list_doc])* pub $list: $list_type, )*)?
        }

        #[allow(dead_code)] // A record may be digested without having a table.
        impl $record {
            /// Names of the fixed columns, in the order they are written.
            pub(crate) fn columns() -> Vec<&'static str> {
                vec![$( stringify!($field), $( stringify!($derived), )? )*]
            }

            pub(crate) fn cells(&self) -> Vec<String> {
                vec![$(
                    $crate::table::Cell::text(&self.$field),
                    $( self.$derived().to_string(), )?
                )*]
            }

            pub(crate) fn from_cells(
                cells: &impl $crate::table::Cells,
            ) -> Result<Self, $crate::ResultsError> {
                Ok(Self {
                    $( $field: cells.cell(stringify!($field))?, )*
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
