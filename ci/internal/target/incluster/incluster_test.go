package incluster

import (
	"context"
	"net"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// The inspector has an address where the cluster has its Service. A name server that does
// not answer at first is asked again.
func TestAddressOfTheInspector(t *testing.T) {
	absent := &net.DNSError{Err: "no such host", IsNotFound: true}
	refused := &net.DNSError{Err: "connection refused", IsTemporary: true}
	for name, test := range map[string]struct {
		answers []error
		there   bool
	}{
		"there": {[]error{nil}, true}, "absent": {[]error{absent}, false},
		"late and there": {[]error{refused, nil}, true}, "late and absent": {[]error{refused, absent}, false},
	} {
		t.Run(name, func(t *testing.T) {
			asked := 0
			at := existing(t.Context(), target.Cluster(), func(_ context.Context, host string) ([]string, error) {
				if host != "inspector.observability" {
					t.Errorf("asked for %s", host)
				}
				asked++
				return nil, test.answers[asked-1]
			})
			if (at.Inspector != "") != test.there || asked != len(test.answers) || at.Loki == "" {
				t.Errorf("the inspector is at %q after %d questions", at.Inspector, asked)
			}
		})
	}
}
