//! Families, types and protocols: `AF_*`, `SOCK_*`, `IPPROTO_*` as values with names.
//!
//! Each is the kernel's integer in a type of its own. A number nobody has named here is as good as
//! any other: it is passed on unchanged and printed as a number. A name is one row in a list, one
//! list per file; from the row come the constant (`Family::INET`), its C name as text, the C name
//! as a constant (`constants::AF_INET`) and the place in `ALL`.

mod family;
mod protocol;
mod socket_type;

pub use family::Family;
pub(crate) use family::families;
pub use protocol::Protocol;
pub(crate) use protocol::protocols;
pub use socket_type::Type;
pub(crate) use socket_type::types;

/// Makes a type around the kernel's integer, with its named values.
///
/// ```text
/// /// What the type is.
/// TypeName [in module_of_c_names] {
///     /// What the value is.
///     NAME = C_NAME,              // from libc
///     NAME = C_NAME (number),     // which libc lacks
/// }
/// ```
macro_rules! kinds {
    ($(#[$doc:meta])* $type:ident $(in $module:ident)? {
        $($(#[$row:meta])* $name:ident = $c:ident $(($value:literal))?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(pub i32);

        #[allow(deprecated)] // libc deprecates SOCK_PACKET, which the kernel still has
        impl $type {
            $(
                $(#[$row])*
                #[doc = concat!("C name `", stringify!($c), "`.")]
                pub const $name: $type = $type($crate::kinds::number!($c $(($value))?));
            )*

            /// Every value with a name, in the order of the list. Where C has two names for one
            /// number, both are here.
            pub const ALL: &[(&'static str, $type)] = &[$((stringify!($c), $type::$name),)*];

            /// The C name; `None` for a value that has no row here. Where C has two names for one
            /// number, it is the first of the list.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                Self::ALL.iter().find(|(_, value)| *value == self).map(|(name, _)| *name)
            }

            /// The value with this C name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<$type> {
                Self::ALL.iter().find(|(row, _)| *row == name).map(|(_, value)| *value)
            }
        }

        impl From<i32> for $type {
            fn from(number: i32) -> $type {
                $type(number)
            }
        }

        impl From<$type> for i32 {
            fn from(value: $type) -> i32 {
                value.0
            }
        }

        /// The C name; the number, where there is none.
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, "{}", self.0),
                }
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        $crate::kinds::c_names! { $($module)?; $type $($name $c)* }
    };
}

/// The number of a C name: libc's, or the one in the row.
macro_rules! number {
    ($c:ident) => {
        libc::$c
    };
    ($c:ident ($value:literal)) => {
        $value
    };
}

/// The C names as constants, in a module of their own, for `constants`.
macro_rules! c_names {
    (; $($row:tt)*) => {};
    ($module:ident; $type:ident $($name:ident $c:ident)*) => {
        /// The C names, typed.
        pub(crate) mod $module {
            use super::$type;
            $(
                #[doc = concat!("[`", stringify!($type), "::", stringify!($name), "`].")]
                #[allow(non_upper_case_globals)] // C writes AF_DECnet
                pub const $c: $type = $type::$name;
            )*
        }
    };
}

pub(crate) use {c_names, kinds, number};
