// Package users is the domain: what a user is, which ones are valid, and what
// can go wrong with them. It knows neither HTTP nor SQL.
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
	// MaxEmail is the longest e-mail address in bytes: what fits into an SMTP
	// path of 256 with its angle brackets (RFC 5321, 4.5.3.1.3, and erratum
	// 1690 to RFC 3696).
	MaxEmail = 254
)

// User is a registered person.
type User struct {
	// ID is given by the store: 1 and up, never used twice.
	ID int64 `json:"id"`
	// Name is 1 to [MaxName] runes without control characters.
	Name string `json:"name"`
	// Email is unique among the users, whatever its case.
	Email string `json:"email"`
	// CreatedAt is in UTC, in whole seconds.
	CreatedAt time.Time `json:"created_at"`
}

// New is what a client says about a user to be created.
type New struct {
	Name  string `json:"name"`
	Email string `json:"email"`
}

// Normalize returns n without white space around its fields, or a
// [*ValidationError] that names every field that is wrong.
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

// checkName returns what is wrong with a trimmed name, "" if nothing is.
func checkName(name string) string {
	switch length := utf8.RuneCountInString(name); {
	case name == "":
		return "A name is needed."
	case !utf8.ValidString(name):
		return "The name is not valid UTF-8."
	case length > MaxName:
		return fmt.Sprintf("The name has %d characters; at most %d are possible.", length, MaxName)
	case strings.ContainsFunc(name, isUnprintable):
		return "The name has characters that cannot be shown."
	}
	return ""
}

// isUnprintable is true for control characters, line and paragraph separators,
// and the marks that turn the direction of a whole page's text.
func isUnprintable(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
}

// checkEmail returns what is wrong with a trimmed address, "" if nothing is. It
// takes a bare address only: net/mail would also take "Ada <ada@example.com>".
func checkEmail(email string) string {
	switch {
	case email == "":
		return "An e-mail address is needed."
	case len(email) > MaxEmail:
		return fmt.Sprintf("The e-mail address has %d bytes; at most %d are possible.", len(email), MaxEmail)
	case strings.ContainsFunc(email, isUnprintable):
		return "The e-mail address has characters that cannot be shown."
	}
	address, err := mail.ParseAddress(email)
	if err != nil || address.Address != email {
		return "This is not an e-mail address."
	}
	return ""
}

// EmailKey is what two e-mail addresses share if they count as one: the address
// in lower case. Strictly the part before the @ may depend on its case; no
// provider lets it.
func EmailKey(email string) string { return strings.ToLower(email) }

// Stats is a summary of the users and of the process that keeps them.
type Stats struct {
	// Users is how many there are.
	Users int64
	// CreatedLast24h is how many of them were created in the last 24 hours.
	CreatedLast24h int64
	// DatabaseSize is the size of the database file, in bytes.
	DatabaseSize int64
}

// Page is a part of the list of users, in the order of their ids.
type Page struct {
	Users []User
	// Next is the cursor of the page behind this one; the zero Cursor at the end.
	Next Cursor
}
