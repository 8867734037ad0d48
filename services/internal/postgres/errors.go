package postgres

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// The error codes of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html)
// that stand for an error of the domain.
const (
	codeUnique       = "23505"
	codeReadOnly     = "25006" // a standby that has not taken over
	codeSerialize    = "40001"
	codeDeadlock     = "40P01"
	codeLockTimeout  = "55P03"
	codeCanceled     = "57014" // by statement_timeout
	classConnection  = "08"
	classResources   = "53" // such as too many connections
	classIntervening = "57" // such as a server that stops or starts
)

// domainError returns the domain's error for err, if there is one. doing says what
// failed.
func domainError(doing string, err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return users.ErrNotFound
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case e.Code == codeUnique:
			return users.ErrEmailTaken // the server's message may quote the address
		case e.Code == codeSerialize, e.Code == codeDeadlock, e.Code == codeLockTimeout, e.Code == codeCanceled:
			return fmt.Errorf("%s: %w: %w", doing, users.ErrBusy, err)
		case isUnavailable(e):
			return fmt.Errorf("%s: %w: %w", doing, users.ErrUnavailable, err)
		}
		return fmt.Errorf("%s: %w", doing, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if isDisconnected(err) {
		return fmt.Errorf("%s: %w: %w", doing, users.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// isUnavailable reports whether the server says that it cannot serve now.
func isUnavailable(e *pgconn.PgError) bool {
	switch e.Code[:min(2, len(e.Code))] {
	case classConnection, classResources, classIntervening:
		return true
	}
	return e.Code == codeReadOnly
}

// isDisconnected reports whether there is no connection to the server.
func isDisconnected(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	for _, end := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, end) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

// code returns PostgreSQL's code of an error, "" if it has none.
func code(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}
