package bench

import (
	"context"
	"errors"
	"testing"
)

// A figure that fails does not take the others with it, one that is skipped says why, and
// Ctrl-C ends the run with what is measured.
func TestRun(t *testing.T) {
	before := figures
	t.Cleanup(func() { figures = before })
	ctx, cancel := context.WithCancelCause(t.Context())
	interrupted := errors.New("interrupted")
	one := func(name string, err error) figure {
		return figure{name, name, func(context.Context, Options) ([]Row, []string, error) { return []Row{row(name, Count, 1)}, nil, err }}
	}
	figures = []figure{one("a", errors.New("broken")), one("b", errSkip("install it")), one("c", nil), {"d", "d", func(context.Context, Options) ([]Row, []string, error) {
		cancel(interrupted)
		return nil, nil, interrupted
	}}, one("e", nil)}
	var said []string
	o := Options{Figures: []string{"a", "b", "c"}, Say: func(line string) { said = append(said, line) }}
	r, err := Run(ctx, o)
	if err == nil || err.Error() != "a: broken" || len(r.Figures) != 2 || r.Figures[0].Skipped != "install it" || len(r.Figures[1].Rows) != 1 {
		t.Errorf("Run() = %+v, %v", r.Figures, err)
	}
	o.Figures = nil
	if r, err = Run(ctx, o); !errors.Is(err, interrupted) || len(r.Figures) != 2 {
		t.Errorf("after Ctrl-C: %+v, %v; want b and c, and the interrupt", r.Figures, err)
	}
}
