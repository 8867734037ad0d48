package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"modernc.org/sqlite"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
)

// Faults are realised by SQL functions, so that what is slow or fails in a trace
// is a real statement of the database. They touch no table, hence hold no lock
// that another request could wait for.
const (
	sleepFunction = "lab_sleep" // lab_sleep(milliseconds) returns them after sleeping
	failFunction  = "lab_fail"  // lab_fail() fails
)

func init() {
	sqlite.MustRegisterScalarFunction(sleepFunction, 1, sleep)
	sqlite.MustRegisterScalarFunction(failFunction, 0, fail)
}

func sleep(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
	ms, ok := args[0].(int64)
	if !ok || ms < 0 {
		return nil, errors.New("milliseconds must be an integer from 0")
	}
	time.Sleep(min(time.Duration(ms)*time.Millisecond, fault.MaxDelay))
	return ms, nil
}

func fail(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return nil, errors.New("this statement was asked to fail")
}

// injectFault grants the fault that the request asks for, if that is on.
func (s *Store) injectFault(ctx context.Context) error {
	if s.faults == nil {
		return nil
	}
	f, ok := fault.FromContext(ctx)
	if !ok {
		return nil
	}
	var discard int64
	query := s.faults.NewSelect()
	if f.Error {
		query = query.ColumnExpr(failFunction + "()")
	} else {
		// Rounded up: a fault is never quicker than it was asked to be.
		ms := (f.Delay + time.Millisecond - 1) / time.Millisecond
		query = query.ColumnExpr(sleepFunction+"(?)", int64(ms))
	}
	if err := query.Scan(ctx, &discard); err != nil {
		return fmt.Errorf("fault on request: %w", err)
	}
	return nil
}
