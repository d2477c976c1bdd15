//! The grammar of a row, and what a row turns into.
//!
//! ```text
//! options! {
//!     ROWS = level SOL_SOCKET on AF_INET SOCK_STREAM;
//!
//!     /// What it does. Unit, special values, what Linux makes of it.
//!     so_rcvlowat / set_so_rcvlowat: i32 = SO_RCVLOWAT { sample 4, default 1 };
//!     ^getter       ^setter          ^type ^C name       ^how it is tried, and what is known
//! }
//! ```
//! Forms: `getter: T`, `getter / setter: T`, `/ setter: T` for what can only be set. A setter
//! that is better given another type than the getter answers says so: `set_it(&str)`; one without
//! a value: `it()`. A value that is written in one of several ways names the way: `Duration as
//! Seconds`; the ways are in `encoding.rs`.
//!
//! In the braces, first how the row is tried against the kernel:
//!
//! | | |
//! |---|---|
//! | `sample V` | set V on a new socket, read it back |
//! | `sample V, becomes W` | the kernel is documented to make W of it |
//! | `reads V` | V is what a new socket says |
//! | `read only` | it can be read, what it says depends on the machine |
//! | `sets V` | it can be set, and there is nothing to read back |
//! | `tested "file"` | a new socket is not enough; that test in `tests/` does it |
//! | `untried "reason"` | not tried, for this reason |
//!
//! then, in this order, what is known: `default V` (tried as well: a new socket says so), `usually
//! "text"` for a default that the machine decides, `needs CAP_X` where a privilege is wanted,
//! `since "6.9"` for kernels after 5.10, `config CONFIG_X` where a kernel may be built without it,
//! `on AF_X SOCK_X [IPPROTO_X] [connected|listening]` for another socket than the level's.

/// Makes the methods and the rows of one level, see the head of this file.
macro_rules! options {
    ($rows:ident = level $level:ident on $($place:ident)+; $($row:tt)+) => {
        $crate::options::row::options! { @ $rows $level [$($place)+] $($row)+ }
    };
    (@ $rows:ident $level:ident $place:tt $(
        $(#[doc = $doc:literal])+
        $($getter:ident)? $(/ $setter:ident $(($($given:ty)?))?)? : $value:ty $(as $encoding:ident)?
        = $name:ident {
            $how:ident $what:expr $(, becomes $kept:expr)?
            $(, default $default:expr)? $(, usually $usually:literal)?
            $(, needs $needs:ident)? $(, since $since:literal)? $(, config $config:ident)?
            $(, on $($own:ident)+)?
        };
    )+) => {
        impl $crate::socket::Socket { $(
            $crate::options::row::methods! {
                [
                    $($doc,)+ "",
                    $(concat!("Default: `", stringify!($default), "`."), "",)?
                    $(concat!("Default: ", $usually, "."), "",)?
                    $(concat!("Privilege: `", stringify!($needs), "`."), "",)?
                    $(concat!("Since Linux ", $since, "."), "",)?
                    $(concat!("Where the kernel has `", stringify!($config), "`."), "",)?
                    concat!("C name `", stringify!($name), "`, level `", stringify!($level), "`.")
                ]
                [$level $name] [$value $(, $encoding)?]
                $($getter)? $(/ $setter $(($($given)?))?)?
            }
        )+ }

        pub(super) const $rows: &[$crate::options::SocketOption] = &[ $(
            $crate::options::SocketOption {
                name: stringify!($name),
                level_name: stringify!($level),
                level: $crate::options::constants::$level as i32,
                number: $crate::options::constants::$name as i32,
                getter: $crate::options::row::maybe!($(stringify!($getter))?),
                setter: $crate::options::row::maybe!($(stringify!($setter))?),
                value_type: stringify!($value),
                doc: concat!($($doc, "\n"),+),
                default: $crate::options::row::maybe!(
                    $(stringify!($default))? $($usually)?),
                needs: $crate::options::row::maybe!($(stringify!($needs))?),
                since: $crate::options::row::maybe!($($since)?),
                config: $crate::options::row::maybe!($(stringify!($config))?),
                subject: $crate::options::row::subject!([$($($own)+)?] $place),
                show: $crate::options::row::maybe!($(|socket| {
                    Ok(format!("{:?}", socket.$getter()?))
                })?),
                check_default: $crate::options::row::check_default!(
                    $($getter)? $(, $default)?),
                check: $crate::options::row::check!($($getter)? $(/ $setter)?;
                    $how $what $(, becomes $kept)?),
            },
        )+ ];
    };
}

/// The method that reads an option and the one that sets it.
macro_rules! methods {
    ([$($doc:expr),+] $id:tt $type:tt / $setter:ident $(($($given:ty)?))?) => {
        $crate::options::row::setter! {
            [$($doc),+] $id $type $setter $(($($given)?))?
        }
    };
    ($docs:tt $id:tt $type:tt $getter:ident) => {
        $crate::options::row::getter! { $docs $id $type $getter }
    };
    ([$($doc:expr),+] $id:tt $type:tt $getter:ident / $setter:ident $(($given:ty))?) => {
        $crate::options::row::getter! { [$($doc),+] $id $type $getter }
        $crate::options::row::setter! {
            [concat!("Sets [`", stringify!($getter), "`](Self::", stringify!($getter), ")."), "",
                $($doc),+]
            $id $type $setter $(($given))?
        }
    };
}

macro_rules! getter {
    ([$($doc:expr),+] [$level:ident $name:ident] [$value:ty $(, $encoding:ident)?]
        $getter:ident) => {
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `ENOPROTOOPT` or `EOPNOTSUPP` where this kind of socket does not have the option.
        pub fn $getter(&self) -> std::io::Result<$value> {
            let slot = $crate::options::row::slot!(self, $level, $name);
            <$crate::options::row::encoding!($value $(, $encoding)?)
                as $crate::options::encoding::Get>::get(slot)
        }
    };
}

macro_rules! setter {
    ($docs:tt $id:tt [$value:ty $(, $encoding:ident)?] $setter:ident) => {
        $crate::options::row::setter! { $docs $id [$value $(, $encoding)?] $setter ($value) }
    };
    ([$($doc:expr),+] [$level:ident $name:ident] [$value:ty $(, $encoding:ident)?]
        $setter:ident ($given:ty)) => {
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `ENOPROTOOPT` or `EOPNOTSUPP` where this kind of socket does not have the option,
        /// `EINVAL` for a value it does not take, `EPERM` where it needs a privilege.
        pub fn $setter(&self, value: $given) -> std::io::Result<()> {
            let slot = $crate::options::row::slot!(self, $level, $name);
            self.note_change(slot.level, slot.name);
            <$crate::options::row::encoding!($value $(, $encoding)?)
                as $crate::options::encoding::Set<$given>>::set(slot, value)
        }
    };
    ([$($doc:expr),+] [$level:ident $name:ident] [$value:ty] $setter:ident ()) => {
        $(#[doc = $doc])+
        ///
        /// # Errors
        /// `ENOPROTOOPT` or `EOPNOTSUPP` where this kind of socket does not have the option,
        /// `EPERM` where it needs a privilege.
        pub fn $setter(&self) -> std::io::Result<()> {
            let slot = $crate::options::row::slot!(self, $level, $name);
            <() as $crate::options::encoding::Set<()>>::set(slot, ())
        }
    };
}

macro_rules! slot {
    ($socket:expr, $level:ident, $name:ident) => {
        $crate::options::encoding::Slot {
            fd: std::os::fd::AsFd::as_fd($socket),
            level: $crate::options::constants::$level as i32,
            name: $crate::options::constants::$name as i32,
        }
    };
}

/// The type that knows how the value is written: the value's own, unless the row names another.
macro_rules! encoding {
    ($value:ty) => {
        $value
    };
    ($value:ty, $encoding:ident) => {
        $crate::options::encoding::$encoding
    };
}

macro_rules! maybe {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}

/// Whether a new socket has the default.
macro_rules! check_default {
    ($($getter:ident)?) => {
        None
    };
    ($getter:ident, $default:expr) => {
        Some(|socket| $crate::options::agree($default, socket.$getter()?))
    };
}

/// The socket of a row: its own, or the level's.
macro_rules! subject {
    ([] $level:tt) => { $crate::options::row::subject!($level) };
    ($own:tt $level:tt) => { $crate::options::row::subject!($own) };
    ([$family:ident $kind:ident]) => {
        $crate::options::row::subject!([$family $kind IPPROTO_IP])
    };
    ([$family:ident $kind:ident connected]) => {
        $crate::options::row::subject!([$family $kind IPPROTO_IP connected])
    };
    ([$family:ident $kind:ident listening]) => {
        $crate::options::row::subject!([$family $kind IPPROTO_IP listening])
    };
    ([$family:ident $kind:ident $protocol:ident]) => {
        $crate::options::row::subject!(@ $family $kind $protocol New)
    };
    ([$family:ident $kind:ident $protocol:ident connected]) => {
        $crate::options::row::subject!(@ $family $kind $protocol Connected)
    };
    ([$family:ident $kind:ident $protocol:ident listening]) => {
        $crate::options::row::subject!(@ $family $kind $protocol Listening)
    };
    (@ $family:ident $kind:ident $protocol:ident $state:ident) => {
        $crate::options::Subject {
            family: $crate::kinds::Family($crate::options::constants::$family),
            kind: $crate::kinds::Type($crate::options::constants::$kind),
            protocol: $crate::kinds::Protocol($crate::options::constants::$protocol),
            state: $crate::options::State::$state,
        }
    };
}

/// How the row is tried.
macro_rules! check {
    ($getter:ident / $setter:ident; sample $sample:expr) => {
        $crate::options::row::check!($getter / $setter; sample $sample, becomes $sample)
    };
    ($getter:ident / $setter:ident; sample $sample:expr, becomes $kept:expr) => {
        $crate::options::Check::RoundTrip(|socket| {
            socket.$setter($sample)?;
            $crate::options::compare(&$kept, &socket.$getter()?)
        })
    };
    ($getter:ident $(/ $setter:ident)?; read $only:expr) => {
        $crate::options::Check::Readable
    };
    ($getter:ident $(/ $setter:ident)?; reads $expected:expr) => {
        $crate::options::Check::RoundTrip(|socket| {
            $crate::options::agree($expected, socket.$getter()?)
        })
    };
    (/ $setter:ident; sets $sample:expr) => {
        $crate::options::Check::Settable(|socket| socket.$setter($sample))
    };
    ($($getter:ident)? $(/ $setter:ident)?; tested $file:expr) => {
        $crate::options::Check::Tested($file)
    };
    ($($getter:ident)? $(/ $setter:ident)?; untried $reason:expr) => {
        $crate::options::Check::Untried($reason)
    };
}

pub(super) use {
    check, check_default, encoding, getter, maybe, methods, options, setter, slot, subject,
};
