package users

import "strings"

// Error is a way in which the domain says no. Compare with errors.Is.
type Error struct {
	message, errorType string
}

// Error implements error.
func (e *Error) Error() string { return e.message }

// ErrorType is the error.type attribute of spans and metrics.
func (e *Error) ErrorType() string { return e.errorType }

// The errors of the domain, beside [ValidationError].
var (
	// ErrNotFound: there is no user with this id.
	ErrNotFound = &Error{"there is no such user", "not_found"}
	// ErrEmailTaken: another user has this e-mail address, in whatever case.
	ErrEmailTaken = &Error{"the e-mail address is taken", "email_taken"}
	// ErrBusy: the store is locked for longer than it was worth waiting. Trying
	// again a little later is likely to work.
	ErrBusy = &Error{"the store is busy", "busy"}
	// ErrBadCursor: this is no cursor that a page handed out.
	ErrBadCursor = &Error{"the cursor is not valid", "bad_cursor"}
	// ErrBadID: this is no id that a user can have.
	ErrBadID = &Error{"the id is not valid", "bad_id"}
)

// Field says what is wrong with one field.
type Field struct {
	// Name is the JSON name.
	Name string
	// Detail is a sentence for people. It does not repeat the value.
	Detail string
}

// ValidationError says which fields of a user are wrong.
type ValidationError struct {
	Fields []Field
}

// Error names the fields, not their values: it ends up in logs.
func (e *ValidationError) Error() string {
	names := make([]string, len(e.Fields))
	for i, f := range e.Fields {
		names[i] = f.Name
	}
	return "invalid " + strings.Join(names, ", ")
}

// ErrorType is the error.type attribute.
func (e *ValidationError) ErrorType() string { return "invalid_user" }
