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

// SQL functions inject the faults, so that the slow or failing span in a trace is a
// real SQL statement. The functions touch no table, so they hold no lock that other
// requests would wait for.
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
	return nil, errors.New("injected fault: the request asked for a failing statement")
}

// injectFault injects the fault that the request asks for, if faults are switched on.
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
		// Rounded up, so that the delay is never shorter than the requested one.
		ms := (f.Delay + time.Millisecond - 1) / time.Millisecond
		query = query.ColumnExpr(sleepFunction+"(?)", int64(ms))
	}
	if err := query.Scan(ctx, &discard); err != nil {
		return fmt.Errorf("injecting a fault: %w", err)
	}
	return nil
}
