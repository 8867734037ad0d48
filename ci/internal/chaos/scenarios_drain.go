package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// drainedFor is how long a node stays empty. Pods whose volumes are on the node's own disk
// wait for it.
const drainedFor = time.Minute

// draining is how long the end of the node's pods takes, mostly.
const draining = 2 * time.Minute

// drainNode empties a node of a cluster, as before its maintenance, and gives it back.
func drainNode() Scenario {
	return Scenario{
		Name: "drain-node", About: fmt.Sprintf("the node with most of the lab's components is drained, for %v; needs --workers 2", drainedFor),
		Promises: slices.Clone(stored), Needs: everything, OwnLab: true, Targets: []string{target.Kind},
		Hold: drainedFor, InjectWithin: draining, Patience: 3 * time.Minute,
		Possible: func(ctx context.Context, lab target.Breakable) error {
			cluster, ok := lab.(target.Drainable)
			if !ok {
				return errors.New("this target has no nodes")
			}
			if n, err := cluster.OpenNodes(ctx); err != nil || n < 2 {
				return errors.Join(err, fmt.Errorf("a node can be drained where there are two that take pods, and there are %d: --workers 2", n))
			}
			return nil
		},
		Inject: func(ctx context.Context, s *Stage) error {
			cluster, ok := s.Lab.(target.Drainable)
			if !ok {
				return errors.New("this target has no nodes")
			}
			begin := time.Now()
			node, components, err := cluster.Drain(ctx)
			s.Say("drained " + node)
			for _, name := range components {
				s.Actions = append(s.Actions, Action{begin, time.Now(), "drain", name})
			}
			return err
		},
	}
}
