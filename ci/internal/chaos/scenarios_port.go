package chaos

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// The thief of a port keeps it for so long while the component is down, and for some time
// more when it is to be started again.
const stolenFor, keptFor = 10 * time.Second, 5 * time.Second

// stolen is the port that is taken; nil when none is. It is listened on, and nothing is
// answered there, as by a program that speaks something else.
var stolen net.Listener

// portStolen kills Tempo, and takes its port meanwhile.
func portStolen() Scenario {
	return Scenario{
		Name: "port-stolen", About: fmt.Sprintf("kill -9 of Tempo, and another program takes its port for %v", stolenFor+keptFor),
		Promises: promisesFor(true, target.Tempo), Needs: []string{target.Tempo},
		Targets: []string{target.Local}, Hold: stolenFor, Alert: downAlerts[target.Tempo],
		Inject: func(ctx context.Context, s *Stage) error {
			if err := s.Kill(ctx, target.Tempo); err != nil {
				return err
			}
			at, err := url.Parse(s.Addresses.Tempo)
			if err != nil {
				return err
			}
			// The sockets of a killed process are gone a moment after it is.
			for end := time.Now().Add(5 * time.Second); ; {
				if stolen, err = new(net.ListenConfig).Listen(ctx, "tcp", at.Host); err == nil {
					break
				}
				if time.Now().After(end) {
					return fmt.Errorf("taking Tempo's port: %w", err)
				}
				if err := wait.For(ctx, 50*time.Millisecond); err != nil {
					return err
				}
			}
			s.Note("port taken", target.Tempo)
			return nil
		},
		// The engine then mends the lab, which waits for the port.
		Heal: func(context.Context, *Stage) error {
			if stolen != nil {
				time.AfterFunc(keptFor, func() { _ = stolen.Close() })
			}
			return nil
		},
	}
}
