//! The status codes that are answered here, and a refusal: a status with its reason.
//!
//! A refusal travels as an [`io::Error`], so that reading a body, opening a file and answering a
//! request all fail in one way; [`Refusal::of`] finds it again at the end of its way. An error that
//! carries none is one of the connection, and nobody is left to be told.
//!
//! A reason is written here and never repeats what the client sent.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::io;

use rustix::io::Errno;

/// Makes the list: the code, and the words that go with it.
macro_rules! statuses {
    ($($name:ident = $code:literal $words:literal,)*) => {
        /// A status of RFC 9110, section 15, or RFC 4918 (507) or RFC 6585 (431).
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Status {
            $(
                #[doc = $words]
                $name = $code,
            )*
        }

        impl Status {
            /// The words after the code.
            pub(crate) fn words(self) -> &'static str {
                match self {
                    $(Status::$name => $words,)*
                }
            }

            /// The first line of an answer, with its end.
            pub(super) fn line(self) -> &'static str {
                match self {
                    $(Status::$name => concat!("HTTP/1.1 ", $code, " ", $words, "\r\n"),)*
                }
            }
        }
    };
}

statuses! {
    Ok = 200 "OK",
    Created = 201 "Created",
    NoContent = 204 "No Content",
    PartialContent = 206 "Partial Content",
    MovedPermanently = 301 "Moved Permanently",
    NotModified = 304 "Not Modified",
    BadRequest = 400 "Bad Request",
    Forbidden = 403 "Forbidden",
    NotFound = 404 "Not Found",
    MethodNotAllowed = 405 "Method Not Allowed",
    RequestTimeout = 408 "Request Timeout",
    Conflict = 409 "Conflict",
    LengthRequired = 411 "Length Required",
    PreconditionFailed = 412 "Precondition Failed",
    ContentTooLarge = 413 "Content Too Large",
    UriTooLong = 414 "URI Too Long",
    UnsupportedMediaType = 415 "Unsupported Media Type",
    RangeNotSatisfiable = 416 "Range Not Satisfiable",
    ExpectationFailed = 417 "Expectation Failed",
    HeadTooLarge = 431 "Request Header Fields Too Large",
    InternalServerError = 500 "Internal Server Error",
    NotImplemented = 501 "Not Implemented",
    ServiceUnavailable = 503 "Service Unavailable",
    VersionNotSupported = 505 "HTTP Version Not Supported",
    InsufficientStorage = 507 "Insufficient Storage",
}

impl Status {
    /// The three digits.
    pub(crate) fn code(self) -> u16 {
        self as u16
    }

    /// Whether an answer with this status never has a body.
    pub(crate) fn is_bodiless(self) -> bool {
        matches!(self, Status::NoContent | Status::NotModified)
    }
}

/// A request that is not answered as it wished.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// What the client is told in three digits.
    pub(crate) status: Status,
    /// What it is told in words.
    pub(crate) why: Cow<'static, str>,
    /// The methods that would do, for [`Status::MethodNotAllowed`].
    pub(crate) allow: Option<&'static str>,
}

impl Refusal {
    /// A status and its reason.
    pub(crate) fn new(status: Status, why: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { status, why: why.into(), allow: None }
    }

    /// A refusal of every method but these.
    pub(crate) fn not_allowed(methods: &'static str) -> Refusal {
        let why = "Nothing here is done by this method.";
        Refusal { allow: Some(methods), ..Refusal::new(Status::MethodNotAllowed, why) }
    }

    /// The refusal in an error; the error itself if there is none.
    pub(crate) fn of(error: io::Error) -> Result<Refusal, io::Error> {
        error.downcast::<Refusal>()
    }

    /// What to tell of a file or folder that cannot be used.
    pub(crate) fn of_file(error: &io::Error) -> Refusal {
        let errno = error.raw_os_error().map(Errno::from_raw_os_error);
        let (status, why) = match errno {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG) => {
                (Status::NotFound, "There is nothing here.")
            }
            Some(Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::NXIO) => {
                (Status::Forbidden, "The server may not do this.")
            }
            Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => {
                (Status::ServiceUnavailable, "The server is busy. Try again in a moment.")
            }
            Some(Errno::NOSPC | Errno::DQUOT) => {
                (Status::InsufficientStorage, "There is no room left on the server's disk.")
            }
            Some(Errno::FBIG) => (Status::ContentTooLarge, "The server's disk cannot hold this."),
            _ => (Status::InternalServerError, "The server's disk does not answer."),
        };
        Refusal::new(status, why)
    }
}

/// An error that carries a refusal.
pub(crate) fn refuse(status: Status, why: impl Into<Cow<'static, str>>) -> io::Error {
    Refusal::new(status, why).into()
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> io::Error {
        io::Error::other(refusal)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.code(), self.status.words(), self.why)
    }
}

impl Error for Refusal {}
