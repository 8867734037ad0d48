// Package users is the domain: users, the rules for valid ones, and the errors. It
// depends on neither HTTP nor SQL.
package users

import (
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of a user's fields.
const (
	// MaxName is the longest name, in runes.
	MaxName = 100
	// MaxEmail is the longest e-mail address, in bytes. An SMTP path has at most 256
	// bytes with its angle brackets (RFC 5321, 4.5.3.1.3, and erratum 1690 to RFC
	// 3696).
	MaxEmail = 254
)

// User is a registered person.
type User struct {
	// ID is assigned by the store. It is 1 or more, and is never used again.
	ID int64 `json:"id"`
	// Name is 1 to [MaxName] runes without control characters.
	Name string `json:"name"`
	// Email is unique among the users, without regard to case.
	Email string `json:"email"`
	// CreatedAt is in UTC, in whole seconds.
	CreatedAt time.Time `json:"created_at"`
}

// New is a user to be created, as a client describes it.
type New struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Normalize returns n with the white space around its fields removed. If a field is
// invalid, it returns a [*ValidationError] that names all invalid fields.
func (n New) Normalize() (New, error) {
	n.Name, n.Email = strings.TrimSpace(n.Name), strings.TrimSpace(n.Email)
	var invalid ValidationError
	if detail := checkName(n.Name); detail != "" {
		invalid.Fields = append(invalid.Fields, Field{Name: "name", Detail: detail})
	}
	if detail := checkEmail(n.Email); detail != "" {
		invalid.Fields = append(invalid.Fields, Field{Name: "email", Detail: detail})
	}
	if len(invalid.Fields) > 0 {
		return New{}, &invalid
	}
	return n, nil
}

// checkName returns what is wrong with a trimmed name, "" if it is valid.
func checkName(name string) string {
	switch length := utf8.RuneCountInString(name); {
	case name == "":
		return "A name is required."
	case !utf8.ValidString(name):
		return "The name is not valid UTF-8."
	case length > MaxName:
		return fmt.Sprintf("The name has %d characters; at most %d are allowed.", length, MaxName)
	case strings.ContainsFunc(name, isUnprintable):
		return "The name has characters that cannot be displayed."
	}
	return ""
}

// isUnprintable reports whether r is a control character, a line or paragraph
// separator, or a mark that changes the direction of text.
func isUnprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// checkEmail returns what is wrong with a trimmed address, "" if it is valid. It
// accepts a bare address only; net/mail would also accept "Ada <ada@example.com>".
func checkEmail(email string) string {
	switch {
	case email == "":
		return "An e-mail address is required."
	case len(email) > MaxEmail:
		return fmt.Sprintf("The e-mail address has %d bytes; at most %d are allowed.", len(email), MaxEmail)
	case strings.ContainsFunc(email, isUnprintable):
		return "The e-mail address has characters that cannot be displayed."
	}
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email {
		return "This is not an e-mail address."
	}
	return ""
}

// EmailKey returns the address in lower case. Two addresses with the same key count as
// one. By the standards the part before the @ may be case-sensitive, but no provider
// treats it so.
func EmailKey(email string) string { return strings.ToLower(email) }

// Stats is a summary of the users and of their database.
type Stats struct {
	// Users is the number of users.
	Users int64
	// CreatedLast24h is how many of them were created in the last 24 hours.
	CreatedLast24h int64
	// DatabaseSize is the size of the database with its write-ahead log, in bytes.
	DatabaseSize int64
}

// MaxLimit is the largest number of users on a page.
const MaxLimit = 200

// Page is a part of the list of users, in the order of their ids.
type Page struct {
	Users []User
	// Next is the cursor of the next page; the zero Cursor on the last page.
	Next Cursor
}
