//! Keyed digests: HMAC-SHA256, cut to 128 bits. Every part is preceded by its length, so that no two different
//! sequences of parts run together to the same bytes.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Half of the hash: long enough that nobody finds a second value, and half as much to store.
pub const LENGTH: usize = 16;

/// The secret, with its share of the computation done.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// None for a key of a length that HMAC does not take, which does not exist.
    pub fn new(secret: &[u8]) -> Option<Key> {
        Hmac::new_from_slice(secret).ok().map(Key)
    }

    /// A digest that no digest of another purpose equals.
    pub fn digest(&self, purpose: &str) -> Digest {
        Digest(self.0.clone()).text(purpose)
    }
}

/// A digest in the making; a copy goes on from here with other parts.
#[derive(Clone)]
pub struct Digest(Hmac<Sha256>);

impl Digest {
    pub fn text(mut self, part: &str) -> Digest {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(part.as_bytes());
        self
    }

    pub fn optional(mut self, part: Option<&str>) -> Digest {
        match part {
            Some(part) => self.text(part),
            // No part is as long as this.
            None => {
                self.0.update(&[0xff; 8]);
                self
            }
        }
    }

    pub fn number(mut self, part: Option<i64>) -> Digest {
        self.0.update(&[u8::from(part.is_some())]);
        self.0.update(&part.unwrap_or_default().to_be_bytes());
        self
    }

    /// What `number` does, where many parts follow each other.
    pub fn add_number(&mut self, part: i64) {
        self.0.update(&[1]);
        self.0.update(&part.to_be_bytes());
    }

    pub fn add(&mut self, part: &[u8]) {
        let length = u64::try_from(part.len()).unwrap_or(u64::MAX);
        self.0.update(&length.to_be_bytes());
        self.0.update(part);
    }

    /// What `bytes` gives, as hexadecimal digits.
    pub fn hex(self) -> String {
        let mut text = String::with_capacity(2 * LENGTH);
        hex(&self.bytes(), &mut text);
        text
    }

    pub fn bytes(self) -> [u8; LENGTH] {
        let whole = self.0.finalize().into_bytes();
        let mut half = [0; LENGTH];
        half.copy_from_slice(&whole[..LENGTH]);
        half
    }
}

pub fn hex(bytes: &[u8], to: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for byte in bytes {
        to.push(char::from(DIGITS[usize::from(byte >> 4)]));
        to.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}

/// What the audit says of one value: the same value in the same field of the same record gives the same digest, and
/// nothing else does.
pub fn of_value(key: &Digest, field: &str, value: &str) -> [u8; LENGTH] {
    key.clone().text(field).text(value).bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new(&[7; 32]).unwrap()
    }

    #[test]
    fn parts_do_not_run_together() {
        let key = key();
        let of = |a: &str, b: &str| key.digest("x").text(a).text(b).bytes();
        assert_ne!(of("ab", "c"), of("a", "bc"));
        assert_ne!(of("", "abc"), of("abc", ""));
        assert_eq!(of("a", "b"), of("a", "b"));
        assert_ne!(key.digest("x").optional(None).bytes(), key.digest("x").optional(Some("")).bytes());
        assert_ne!(key.digest("x").number(None).bytes(), key.digest("x").number(Some(0)).bytes());
        assert_ne!(key.digest("x").text("a").bytes(), key.digest("y").text("a").bytes());
    }

    #[test]
    fn the_key_decides() {
        let other = Key::new(&[8; 32]).unwrap();
        assert_ne!(key().digest("x").bytes(), other.digest("x").bytes());
        let mut text = String::new();
        hex(&[0, 255, 16], &mut text);
        assert_eq!(text, "00ff10");
    }

    // RFC 4231, test case 2, through the same crate as above.
    #[test]
    fn it_is_hmac_sha256() {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"Jefe").unwrap();
        mac.update(b"what do ya want for nothing?");
        let mut text = String::new();
        hex(&mac.finalize().into_bytes()[..4], &mut text);
        assert_eq!(text, "5bdcc146");
    }
}
