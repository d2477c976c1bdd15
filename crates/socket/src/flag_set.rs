//! Sets of flags: a type around C's integer, with a name for each bit that has one.
//!
//! A bit without a name is passed on unchanged and printed as a number. A flag is one row of a
//! list; from the row come the constant, its C name as text and the place in `ALL`. Values of which
//! only one is meant at a time are not made here, see `kinds/` and `options/values/words.rs`.

/// Makes a set of flags.
///
/// ```text
/// /// What the set is.
/// TypeName(integer) from module_of_c_names {
///     /// What the flag is.
///     NAME = C_NAME,              // from that module
///     NAME = C_NAME (number),     // which it lacks
/// }
/// ```
macro_rules! flag_set {
    ($(#[$doc:meta])* $type:ident($int:ty) from $module:ident {
        $($(#[$row:meta])* $name:ident = $c:ident $(($value:literal))?,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $type(pub $int);

        impl $type {
            $(
                $(#[$row])*
                ///
                #[doc = concat!("C name `", stringify!($c), "`.")]
                pub const $name: $type =
                    $type($crate::flag_set::bits!($module $c $($value)?) as $int);
            )*

            /// None of them.
            pub const NONE: $type = $type(0);

            /// Every flag with its C name.
            pub const ALL: &[(&'static str, $type)] = &[$((stringify!($c), $type::$name),)*];

            /// Whether all of `flags` are in it.
            #[must_use]
            pub const fn contains(self, flags: $type) -> bool {
                self.0 & flags.0 == flags.0
            }
        }

        impl std::ops::BitOr for $type {
            type Output = $type;

            fn bitor(self, other: $type) -> $type {
                $type(self.0 | other.0)
            }
        }

        impl std::ops::BitOrAssign for $type {
            fn bitor_assign(&mut self, other: $type) {
                self.0 |= other.0;
            }
        }

        /// The C names joined by `|`; bits without a name as one hexadecimal number; `0` for none.
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let (mut rest, mut separator) = (*self, "");
                for (name, flag) in $type::ALL {
                    if rest.contains(*flag) {
                        write!(f, "{separator}{name}")?;
                        (rest.0, separator) = (rest.0 & !flag.0, "|");
                    }
                }
                match rest {
                    $type::NONE if !separator.is_empty() => Ok(()),
                    $type::NONE => f.write_str("0"),
                    $type(bits) => write!(f, "{separator}{bits:#x}"),
                }
            }
        }
    };
}

/// The bits of a C name: the module's, or those in the row.
macro_rules! bits {
    ($module:ident $c:ident) => {
        $module::$c
    };
    ($module:ident $c:ident $value:literal) => {
        $value
    };
}

pub(crate) use {bits, flag_set};

#[cfg(test)]
mod tests {
    use crate::message::Flags;
    use crate::names::AddrInfoFlags;
    use crate::options::{AddrPreferences, BufLock, TimestampingFlags};

    #[test]
    fn every_set_prints_the_names_of_c_and_the_rest_as_a_number() {
        for (printed, expected) in [
            (format!("{:?}", Flags::PEEK | Flags(0x0800_0000)), "MSG_PEEK|0x8000000"),
            (format!("{:?}", AddrInfoFlags::PASSIVE), "AI_PASSIVE"),
            (format!("{:?}", BufLock(7)), "SOCK_SNDBUF_LOCK|SOCK_RCVBUF_LOCK|0x4"),
            (format!("{:?}", TimestampingFlags::SOFTWARE), "SOF_TIMESTAMPING_SOFTWARE"),
            (format!("{:?}", AddrPreferences(0x401)), "IPV6_PREFER_SRC_TMP|IPV6_PREFER_SRC_HOME"),
            (format!("{:?}", BufLock(0x8000_0000)), "0x80000000"),
            (format!("{:?}", BufLock::NONE), "0"),
        ] {
            assert_eq!(printed, expected);
        }
    }

    /// `linux/in6.h`
    #[test]
    fn source_preferences_are_the_kernels_bits() {
        let bits: Vec<u32> = AddrPreferences::ALL.iter().map(|(_, flag)| flag.0).collect();
        assert_eq!(bits, [0x001, 0x002, 0x100, 0x004, 0x400, 0x008, 0x800]);
    }
}
