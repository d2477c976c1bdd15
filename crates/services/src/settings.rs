//! What can be set about a service, and what was.
//!
//! A service lists its [`Setting`]s as data, so that a command line, a test or a file can offer
//! them without knowing the service. The values arrive as text, in [`Settings`]; the service asks
//! for them by name and type when it is made. A name that is not in its list is a mistake of the
//! service's author and panics.

use std::io;
use std::time::Duration;

use crate::duration;

/// One thing that can be set.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Its name: `delay` is `--delay` on a command line.
    pub name: &'static str,
    /// What has to be written to set it.
    pub form: Form,
    /// The value it has unless set; `None` for a switch, and for an argument that must be given.
    /// An empty one is as good as none, for what may be left out.
    pub default: Option<&'static str>,
    /// What it does, in one line without a full stop.
    pub help: &'static str,
}

/// What has to be written to set a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its name alone: `--raw`.
    Switch,
    /// Its name and a value, here called this: `--delay DURATION`.
    Value(&'static str),
    /// The value alone, by its place: `web DIR`.
    Argument,
}

/// The values that were given. What was not given has its default.
#[derive(Debug, Clone)]
pub struct Settings {
    list: &'static [Setting],
    given: Vec<(&'static str, String)>,
}

impl Settings {
    /// All defaults of this list.
    #[must_use]
    pub fn new(list: &'static [Setting]) -> Settings {
        Settings { list, given: Vec::new() }
    }

    /// Reads them as a command line has them: `--delay 1s --raw DIR`.
    ///
    /// # Errors
    /// A word that is not in the list, or a value that is missing.
    ///
    /// ```
    /// let hello = services::find("hello").unwrap();
    /// let settings = services::Settings::read(hello.settings, &["--delay", "1s"])?;
    /// assert_eq!(settings.text("delay"), Some("1s"));
    /// # Ok::<(), String>(())
    /// ```
    pub fn read(list: &'static [Setting], words: &[&str]) -> Result<Settings, String> {
        let mut settings = Settings::new(list);
        let mut arguments = list.iter().filter(|setting| setting.form == Form::Argument);
        let mut words = words.iter().copied();
        while let Some(word) = words.next() {
            let Some(name) = word.strip_prefix("--") else {
                let argument = arguments.next().ok_or_else(|| format!("{word} is too much"))?;
                settings.set(argument.name, word)?;
                continue;
            };
            let setting = list.iter().find(|setting| setting.name == name);
            let value = match setting.map(|setting| setting.form) {
                Some(Form::Value(what)) => words.next().ok_or(format!("{word} needs a {what}"))?,
                _ => "",
            };
            settings.set(name, value)?;
        }
        Ok(settings)
    }

    /// Sets one. For a switch the value does not matter.
    ///
    /// # Errors
    /// A name that is not in the list.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> Result<(), String> {
        let setting = self.list.iter().find(|setting| setting.name == name);
        let setting = setting.ok_or_else(|| format!("there is no setting \"{name}\""))?;
        self.given.retain(|(given, _)| *given != setting.name);
        self.given.push((setting.name, value.into()));
        Ok(())
    }

    /// Whether a switch was given.
    #[must_use]
    pub fn is_set(&self, name: &str) -> bool {
        self.of(name);
        self.given.iter().any(|(given, _)| *given == name)
    }

    /// The value as text; `None` when it was not given and has no default.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        let setting = self.of(name);
        let given = self.given.iter().find(|(given, _)| *given == name);
        given.map(|(_, value)| value.as_str()).or(setting.default)
    }

    /// The value as a duration; zero when it was not given and has no default.
    ///
    /// # Errors
    /// `InvalidInput`, with the name of the setting: the value is not a duration.
    pub fn duration(&self, name: &str) -> io::Result<Duration> {
        let text = self.text(name).unwrap_or("0");
        duration::parse(text).map_err(|why| unfit(format!("--{name}: {why}")))
    }

    fn of(&self, name: &str) -> &'static Setting {
        let setting = self.list.iter().find(|setting| setting.name == name);
        setting.expect("a service asks for the settings in its own list")
    }
}

/// Why a value cannot be used.
pub(crate) fn unfit(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, why)
}
