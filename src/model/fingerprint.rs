//! Statements that differ in their values only have one fingerprint.

use sha2::{Digest, Sha256};

/// More bytes of a statement than this need not be looked at.
pub const MOST: usize = 1 << 20;

/// 16 hexadecimal digits that stand for a statement without its values.
pub fn of(statement: &str) -> String {
    let hash = Sha256::digest(normalised(statement).as_bytes());
    let mut text = String::new();
    super::digest::hex(&hash[..8], &mut text);
    text
}

const VALUE: &str = "?";

/// The statement with "?" for each value and each list of values, without comments, in lower case.
fn normalised(text: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some((kind, length)) = token(rest) {
        let word = &rest[..length];
        match kind {
            Token::Nothing => {}
            Token::Value => add(&mut words, VALUE),
            Token::Word => add(&mut words, word),
        }
        rest = &rest[length..];
    }
    while words.last() == Some(&";") {
        words.pop();
    }
    let lowered = |word: &&str| if word.starts_with('"') { word.to_string() } else { word.to_lowercase() };
    words.iter().map(lowered).collect::<Vec<_>>().join(" ")
}

/// Lists of values, and lists of rows of values, are as good as one.
fn add<'a>(words: &mut Vec<&'a str>, word: &'a str) {
    words.push(word);
    if words.ends_with(&[VALUE, ",", VALUE]) {
        words.truncate(words.len() - 2);
    }
    if words.ends_with(&["(", VALUE, ")", ",", "(", VALUE, ")"]) {
        words.truncate(words.len() - 4);
    }
}

enum Token {
    /// Space and comments.
    Nothing,
    Value,
    Word,
}

/// The first token and its length in bytes.
fn token(text: &str) -> Option<(Token, usize)> {
    let first = text.chars().next()?;
    Some(match first {
        c if c.is_whitespace() => (Token::Nothing, c.len_utf8()),
        '-' if text.starts_with("--") => (Token::Nothing, text.find('\n').unwrap_or(text.len())),
        '/' if text.starts_with("/*") => (Token::Nothing, comment(text)),
        '\'' => (Token::Value, quoted(text, 0, '\'', false)),
        '"' => (Token::Word, quoted(text, 0, '"', false)),
        '$' => dollar(text),
        c if c.is_ascii_digit() => (Token::Value, run(text, |c| c.is_ascii_alphanumeric() || c == '.' || c == '_')),
        c if c.is_alphabetic() || c == '_' => {
            let length = run(text, |c| c.is_alphanumeric() || c == '_' || c == '$');
            let (word, after) = text.split_at(length);
            match word {
                "e" | "E" if after.starts_with('\'') => (Token::Value, quoted(text, length, '\'', true)),
                "b" | "B" | "x" | "X" | "n" | "N" if after.starts_with('\'') => {
                    (Token::Value, quoted(text, length, '\'', false))
                }
                _ => (Token::Word, length),
            }
        }
        c => (Token::Word, c.len_utf8()),
    })
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// From the quote at `start` to its end; a doubled quote is none.
fn quoted(text: &str, start: usize, quote: char, escapes: bool) -> usize {
    let mut chars = text[start..].char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if escapes && c == '\\' {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
            } else {
                return start + at + c.len_utf8();
            }
        }
    }
    text.len()
}

/// Comments nest.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// A parameter, or a text between dollars.
fn dollar(text: &str) -> (Token, usize) {
    let digits = run(&text[1..], |c| c.is_ascii_digit());
    if digits > 0 {
        return (Token::Value, 1 + digits);
    }
    let name = run(&text[1..], |c| c.is_alphanumeric() || c == '_');
    if !text[1 + name..].starts_with('$') {
        return (Token::Word, 1);
    }
    let open = &text[..name + 2];
    let end = text[open.len()..].find(open).map_or(text.len(), |at| open.len() + at + open.len());
    (Token::Value, end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_do_not_count() {
        for (statement, same) in [
            ("UPDATE t SET a = 'x' WHERE id = 1", "update T set a='it''s'  where ID=23 ;"),
            ("SELECT $1", "SELECT 1.5e10"),
            ("SELECT E'a\\'b', 1", "SELECT 'c', 2"),
            ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (3, -- later\n'c')"),
            ("SELECT $x$ it's $y$ $x$", "SELECT /* a /* nested */ one */ ''"),
            ("SELECT 'ä', \"Ä\"", "SELECT 'ö', \"Ä\""),
        ] {
            assert_eq!(normalised(statement), normalised(same));
        }
        assert_eq!(
            normalised("INSERT INTO t (a, b) VALUES (1, 'x'), (2, 'y'), (3, 'z')"),
            "insert into t ( a , b ) values ( ? )"
        );
    }

    #[test]
    fn everything_else_does() {
        for (one, other) in [
            ("SELECT a FROM t", "SELECT b FROM t"),
            ("SELECT \"A\"", "SELECT \"a\""),
            ("SELECT a1", "SELECT a2"),
            ("DELETE FROM t WHERE id = 1", "DELETE FROM t WHERE id > 1"),
        ] {
            assert_ne!(of(one), of(other));
        }
    }

    #[test]
    fn what_does_not_end_is_read_to_the_end() {
        for text in ["'", "\"a", "/* /* */", "$a$ b", "E'\\", "--", "$", "é'", ""] {
            assert_eq!(of(text).len(), 16);
        }
    }
}
