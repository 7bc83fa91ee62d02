//! Makes the bytes of random values; the edge cases of each kind come often.
//!
//! The sampler knows a shape and the bounds in its notes, nothing else. A type may refuse a value for reasons that no
//! shape can express. Randomness is drawn only with `next_u64`, so that a seed gives the same bytes for ever. A
//! sample never takes more bytes than its budget.

use super::Shape;
use rand::RngCore;

/// The longest ordinary list, in elements.
const SHORT: usize = 6;

impl Shape {
    /// The bytes of a random value, at most `budget` of them, unless even the [shortest](Self::least) value has more.
    ///
    /// Zero, one, the largest of each width, the shortest and longest text and list, and each variant come often. A
    /// shape that isn't known ([`Shape::Opaque`]) gets no bytes.
    #[must_use]
    pub fn sample(&self, random: &mut impl RngCore, budget: usize) -> Vec<u8> {
        let mut sampler = Sampler { random, budget: budget.saturating_sub(self.least()), out: Vec::new() };
        sampler.value(self);
        sampler.out
    }
}

struct Sampler<'a, R> {
    random: &'a mut R,
    /// Bytes that may still be spent beyond each value's least.
    budget: usize,
    out: Vec<u8>,
}

impl<R: RngCore> Sampler<'_, R> {
    /// A number below `n`, and 0 if that is 0.
    fn below(&mut self, n: usize) -> usize {
        let n = n as u64;
        // The remainder's bias is far below what a test could see.
        usize::try_from(self.random.next_u64().checked_rem(n).unwrap_or(0)).unwrap_or(0)
    }

    /// A number from 0 to `most`: often 0, 1 or `most` itself, else usually a small one.
    fn length(&mut self, most: usize) -> usize {
        match self.below(8) {
            0 => 0,
            1 => 1.min(most),
            2 => most,
            3 => self.below(most.saturating_add(1)),
            _ => self.below(SHORT.min(most) + 1),
        }
    }

    /// A number of this many bits, often an edge case.
    fn number(&mut self, bits: u8) -> u128 {
        let max = u128::MAX >> (128 - u32::from(bits.clamp(1, 128)));
        let random = (u128::from(self.random.next_u64()) << 64) | u128::from(self.random.next_u64());
        match self.below(8) {
            0 => 0,
            1 => 1,
            2 => max,
            3 => max - 1,
            // The values at which a varint grows by a byte.
            4 => ((1 << (7 * self.below(usize::from(bits) / 7 + 1))) - (random & 1)) & max,
            // A random width, so that small numbers come as often as large ones.
            _ => random & max & (u128::MAX >> (127 - self.below(usize::from(bits)))),
        }
    }

    /// Writes a varint, or a smaller one if the budget has no room for its further bytes.
    fn varint(&mut self, value: u128) {
        let bytes = (128 - value.leading_zeros()).div_ceil(7).max(1) as usize;
        let value = if bytes - 1 > self.budget { value & ((1 << (7 * (self.budget + 1))) - 1) } else { value };
        let mut left = value;
        while left >= 0x80 {
            self.out.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
            self.budget -= 1;
        }
        self.out.push(left as u8);
    }

    /// Reserves the least bytes of `n` elements, or of fewer if the budget has no room, and writes how many.
    fn count(&mut self, n: usize, each: usize) -> usize {
        let room = self.budget.saturating_sub(4); // of the count's further bytes
        let n = n.min(room.checked_div(each).unwrap_or(SHORT));
        self.varint(n as u128);
        self.budget -= n * each;
        n
    }

    /// How many elements or bytes there may be.
    fn most(&self, shape: &Shape, each: usize) -> usize {
        let room = self.budget.checked_div(each).unwrap_or(SHORT);
        shape.most().unwrap_or(room).min(room)
    }

    fn value(&mut self, shape: &Shape) {
        match shape {
            Shape::Unit | Shape::Opaque { .. } => {}
            Shape::Bool => {
                let bit = self.below(2);
                self.out.push(bit as u8);
            }
            Shape::Unsigned { bits: 8 } | Shape::Signed { bits: 8 } => {
                let byte = self.number(8);
                self.out.push(byte as u8);
            }
            // Any zigzag number is a number.
            Shape::Unsigned { bits } | Shape::Signed { bits } => {
                let number = self.number(*bits);
                self.varint(number);
            }
            Shape::Float { bits } => {
                // A whole number: it has a single encoding and is never "not a number".
                let number = self.random.next_u64() as u32;
                match bits {
                    32 => self.out.extend_from_slice(&((number >> 8) as f32).to_le_bytes()),
                    _ => self.out.extend_from_slice(&f64::from(number).to_le_bytes()),
                }
            }
            Shape::Text { .. } => self.text(shape),
            Shape::Bytes { .. } => {
                let most = self.most(shape, 1);
                let n = self.length(most);
                let n = self.count(n, 1);
                self.bytes(n);
            }
            Shape::Rest { .. } => {
                let most = self.most(shape, 1);
                let n = self.length(most);
                self.budget -= n;
                self.bytes(n);
            }
            Shape::Option(of) => {
                let there = self.below(2) == 1 && of.least() <= self.budget;
                self.out.push(there.into());
                if there {
                    self.budget -= of.least();
                    self.value(of);
                }
            }
            Shape::List { of, .. } => self.list(shape, &[of]),
            Shape::Map { key, value, .. } => self.list(shape, &[key, value]),
            Shape::Array { of, len, .. } if **of == (Shape::Unsigned { bits: 8 }) => self.array(shape, *len),
            Shape::Array { of, len, .. } => (0..*len).for_each(|_| self.value(of)),
            Shape::Newtype { of, .. } => self.value(of),
            Shape::Tuple { .. } | Shape::Struct { .. } => shape.parts().for_each(|part| self.value(part)),
            Shape::Enum { variants, .. } => {
                let least = shape.least() - 1;
                let affordable: Vec<usize> =
                    (0..variants.len()).filter(|at| variants[*at].1.least() - least <= self.budget).collect();
                let pick = self.below(affordable.len());
                if let Some((at, (_, content))) = affordable.get(pick).and_then(|at| Some((*at, variants.get(*at)?))) {
                    self.varint(at as u128);
                    self.budget -= content.least() - least;
                    self.value(content);
                }
            }
        }
    }

    fn list(&mut self, shape: &Shape, of: &[&Shape]) {
        let each = of.iter().map(|part| part.least()).sum();
        let most = self.most(shape, each);
        let n = self.length(most);
        for _ in 0..self.count(n, each) {
            of.iter().for_each(|part| self.value(part));
        }
    }

    fn text(&mut self, shape: &Shape) {
        const LETTERS: [&str; 8] = ["a", "z", "0", "-", " ", "\n", "ß", "漢"];
        let most = self.most(shape, 1);
        let n = self.length(most);
        let mut text = String::with_capacity(n);
        let plain = self.below(2) == 0;
        while text.len() < n {
            let letter = LETTERS[self.below(LETTERS.len())];
            text.push_str(if plain || text.len() + letter.len() > n { "a" } else { letter });
        }
        let n = self.count(text.len(), 1);
        text.truncate((0..=n).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0));
        while text.len() < n {
            text.push('a');
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    fn bytes(&mut self, n: usize) {
        let end = self.out.len() + n;
        while self.out.len() + 8 <= end {
            let random = self.random.next_u64();
            self.out.extend_from_slice(&random.to_le_bytes());
        }
        let random = self.random.next_u64().to_le_bytes();
        self.out.extend(random.iter().take(end - self.out.len()));
    }

    /// `len` bytes that are a number, most significant first; the largest one if the note says "at most 0x…".
    fn array(&mut self, shape: &Shape, len: usize) {
        let start = self.out.len();
        let most = shape.note().and_then(|note| largest(note, len)).unwrap_or_else(|| vec![0xff; len]);
        match self.below(8) {
            0 => self.out.resize(start + len, 0),
            1 => {
                self.out.resize(start + len, 0);
                if let Some(last) = self.out[start..].last_mut() {
                    *last = 1;
                }
            }
            2 => self.out.extend_from_slice(&most),
            _ => {
                self.bytes(len);
                // It is too large: lower the leading bytes until it isn't.
                for at in 0..len {
                    if self.out[start..] <= most[..] {
                        break;
                    }
                    self.out[start + at] &= most[at].saturating_sub(1);
                }
            }
        }
    }
}

/// The number after "at most 0x", as `len` bytes.
fn largest(note: &str, len: usize) -> Option<Vec<u8>> {
    let (_, after) = note.split_once("at most 0x")?;
    let digits: Vec<u8> = after.chars().map_while(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    (bytes.len() == len).then_some(bytes)
}
