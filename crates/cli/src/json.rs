//! One JSON object in one line: `{"v":1,"t":"listening","service":"echo"}`.
//!
//! Every object begins with the version of the format and its type. Fields are written in the order
//! in which they are added, which is why this is not a map.

use std::fmt::Write;

/// An object that is being written.
#[derive(Debug)]
pub(crate) struct Object(String);

impl Object {
    /// Begins an object of this type.
    pub(crate) fn new(kind: &str) -> Object {
        Object("{\"v\":1".into()).text("t", kind)
    }

    /// Adds a text.
    pub(crate) fn text(self, name: &str, value: &str) -> Object {
        self.raw(name, &quoted(value))
    }

    /// Adds a whole number.
    pub(crate) fn number(self, name: &str, value: impl Into<u128>) -> Object {
        self.raw(name, &value.into().to_string())
    }

    /// Adds a truth.
    pub(crate) fn truth(self, name: &str, value: bool) -> Object {
        self.raw(name, if value { "true" } else { "false" })
    }

    /// Adds nothing, under a name.
    pub(crate) fn null(self, name: &str) -> Object {
        self.raw(name, "null")
    }

    /// Adds an object of whole numbers, in their order.
    pub(crate) fn map<'a>(
        self,
        name: &str,
        fields: impl IntoIterator<Item = (&'a str, u64)>,
    ) -> Object {
        let fields = fields.into_iter().map(|(name, number)| format!("{}:{number}", quoted(name)));
        let fields: Vec<String> = fields.collect();
        self.raw(name, &format!("{{{}}}", fields.join(",")))
    }

    /// Adds a list of texts.
    pub(crate) fn texts(self, name: &str, values: &[String]) -> Object {
        let values: Vec<String> = values.iter().map(|value| quoted(value)).collect();
        self.raw(name, &format!("[{}]", values.join(",")))
    }

    /// Ends the object and its line.
    pub(crate) fn line(mut self) -> String {
        self.0.push_str("}\n");
        self.0
    }

    fn raw(mut self, name: &str, value: &str) -> Object {
        write!(self.0, ",\"{name}\":{value}").expect("a string can always be written to");
        self
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("any text can be written as JSON")
}
