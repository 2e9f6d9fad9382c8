//! What may stand behind a key, said for editors: from this the JSON Schema is made. That a reader takes
//! what is said here, and nothing else, a test holds for each kind.

/// A key of a table.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What may stand behind it.
    pub shape: Shape,
    /// Whether it has to be there.
    pub required: bool,
    /// What it is for, in a sentence without a dot.
    pub about: &'static str,
}

/// What may stand behind a key.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// Any text.
    Text,
    /// A name of lower-case letters, digits and hyphens.
    Id,
    /// `true` or `false`.
    Switch,
    /// A whole number within bounds.
    Whole(i64, i64),
    /// An amount of credit, as a text.
    Amount,
    /// Such as `"24h"`.
    Duration,
    /// A day, without a time.
    Date,
    /// A time of day.
    TimeOfDay,
    /// A moment.
    Moment,
    /// One of a few words.
    Word(&'static [&'static str]),
    /// A list of these.
    Many(&'static Shape),
    /// Any of these.
    Either(&'static [Shape]),
    /// A table with these keys and no others.
    Table(&'static [Key]),
    /// A table with keys of the author's choosing.
    Named(&'static Shape),
    /// A list of people or domains: its name, or its entries.
    List,
    /// Whatever the author likes.
    Anything,
    /// What is written elsewhere in the schema, under this name.
    Other(&'static str),
}

impl Key {
    /// A key that may be left out.
    pub const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            required: false,
            about,
        }
    }

    /// One that has to be there.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }
}

/// The keys of a table that names a secret: `{ secret = "env:NAME" }`.
pub const SECRET: &[Key] = &[Key::new(
    "secret",
    Shape::Text,
    "Where the secret is: env:NAME or file:PATH",
)
.required()];

/// How often a server is asked for its list.
pub const REFRESH_KEY: Key = Key::new(
    "refresh",
    Shape::Duration,
    "How often the server is asked whether the list has changed; 15m if left out",
);
/// The token for a server's list.
pub const TOKEN_KEY: Key = Key::new(
    "token",
    Shape::Table(SECRET),
    "The token that is sent to the server as `Authorization: Bearer`",
);
/// Whether an address may be `http`.
pub const ALLOW_HTTP_KEY: Key = Key::new(
    "allow_http",
    Shape::Switch,
    "Whether the address may be `http`, for all on the way to read",
);
