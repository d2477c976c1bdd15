//! What can be given as an address: an [`Address`], or text in its grammar.

use socket::{Address, ParseAddressError};

/// What can be given as an address: an [`Address`] or text in its grammar.
pub trait ToAddress {
    /// The address.
    ///
    /// # Errors
    /// Text that is not an address.
    fn to_address(&self) -> Result<Address, ParseAddressError>;
}

impl ToAddress for Address {
    fn to_address(&self) -> Result<Address, ParseAddressError> {
        Ok(self.clone())
    }
}

impl ToAddress for str {
    fn to_address(&self) -> Result<Address, ParseAddressError> {
        self.parse()
    }
}

impl ToAddress for String {
    fn to_address(&self) -> Result<Address, ParseAddressError> {
        self.parse()
    }
}

impl<T: ToAddress + ?Sized> ToAddress for &T {
    fn to_address(&self) -> Result<Address, ParseAddressError> {
        (**self).to_address()
    }
}
