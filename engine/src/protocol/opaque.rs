//! What a protocol keeps of a commit between making and acceptance: known to that protocol alone, so
//! that whoever drives protocols is one program for all of them.

use std::any::Any;

use super::ProtocolError;

/// What a protocol keeps of a commit that it has made, whatever that is.
#[derive(Debug)]
pub struct Opaque(Box<dyn Any>);

impl Opaque {
    /// Something that only who knows its type can open.
    pub fn new<T: Any>(what: T) -> Self {
        Self(Box::new(what))
    }

    /// A look at what is kept, if it is of this type.
    pub fn look<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }

    /// What is kept; an error if another protocol has put it there.
    pub fn open<T: Any>(self) -> Result<T, ProtocolError> {
        self.0.downcast().map(|what| *what).map_err(|_| ProtocolError::Foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_knows_the_type_can_open_it() {
        assert_eq!(Opaque::new(7_u32).look::<u32>(), Some(&7));
        assert_eq!(Opaque::new(7_u32).look::<u64>(), None);
        assert_eq!(Opaque::new(7_u32).open::<u32>().unwrap(), 7);
        assert!(matches!(Opaque::new(7_u32).open::<u64>(), Err(ProtocolError::Foreign)));
    }
}
