package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	psnet "github.com/shirou/gopsutil/v4/net"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
)

// A closed lab passes verify. Each of its listeners refuses whoever has no certificate of
// the lab's, and has a renewed one without a restart, under traffic of which no request
// fails.
func TestClosedLab(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--closed", "--inspect")
	if stdout, stderr, code := l.try("verify", "--requests", "100"); code != 0 {
		t.Errorf("verify: exit code %d\n%s%s", code, stdout, stderr)
	}
	l.refuseStrangers()
	l.renewUnderTraffic()
	if stdout := l.lab("up", "--detach", "--inspect"); !strings.Contains(stdout, "is up already, and unchanged") || !strings.Contains(stdout, "closed") {
		t.Errorf("up again, without --closed and with renewed certificates:\n%s", stdout)
	}
}

// tlsOf returns the settings of a client with the certificate that the folder has for the name.
func (l *testLab) tlsOf(dir, name string) *tls.Config {
	l.Helper()
	c, err := certificates.Of(dir, name).Config()
	if err != nil {
		l.Fatal(err)
	}
	c.ServerName, c.NextProtos = "localhost", []string{"h2", "http/1.1"}
	return c
}

// listeners are the addresses at which the lab's processes listen, by component: those that
// the system has, whether the lab knows of them or not.
func (l *testLab) listeners() map[string][]string {
	l.Helper()
	state, err := l.readState()
	if err != nil {
		l.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range state.Processes {
		all, err := psnet.ConnectionsPid("inet", int32(p.PID))
		if err != nil {
			l.Fatal(err)
		}
		for _, c := range all {
			address := net.JoinHostPort(c.Laddr.IP, fmt.Sprint(c.Laddr.Port))
			if c.Type == 2 && c.Raddr.Port == 0 { // SOCK_DGRAM, to which anybody may send
				l.Errorf("%s has the UDP socket %s", p.Name, address)
			}
			if c.Status == "LISTEN" {
				found[p.Name] = append(found[p.Name], address)
			}
		}
		if len(found[p.Name]) == 0 {
			l.Errorf("%s listens nowhere", p.Name)
		}
	}
	return found
}

// refuseStrangers tries every listener: with a certificate it answers, without one or with one of
// another authority it does not, and without TLS it says no more than that it wants TLS.
func (l *testLab) refuseStrangers() {
	l.Helper()
	own := l.tlsOf(l.dir, certificates.Client)
	strange := own.Clone()
	strange.GetClientCertificate = l.tlsOf(l.otherLab(), certificates.Client).GetClientCertificate
	without := own.Clone()
	without.GetClientCertificate = nil
	listeners := 0
	for name, addresses := range l.listeners() {
		for _, address := range addresses {
			listeners++
			if answer, err := ask(address, own); len(answer) == 0 {
				l.Errorf("%s at %s does not answer a client of the lab: %v", name, address, err)
			}
			for who, config := range map[string]*tls.Config{"without a certificate": without, "with one of another authority": strange} {
				if answer, err := ask(address, config); len(answer) > 0 || err == nil {
					l.Errorf("%s at %s answers a client %s: %q, %v", name, address, who, answer, err)
				}
			}
			if answer, _ := ask(address, nil); len(answer) > 0 && !bytes.Contains(answer, []byte("400 Bad Request")) {
				l.Errorf("%s at %s answers without TLS: %q", name, address, answer)
			}
		}
	}
	// Frontend, backend, inspector; Loki, Mimir and their gRPC; Tempo and Alloy have three.
	if listeners < 13 {
		l.Errorf("found only %d listeners", listeners)
	}
}

// otherLab makes certificates of another authority.
func (l *testLab) otherLab() (dir string) {
	l.Helper()
	folder, err := labdir.Claim(l.TempDir())
	if err == nil {
		_, err = certificates.Make(folder, certificates.Options{})
	}
	if err != nil {
		l.Fatal(err)
	}
	return folder.Path
}

// The beginning of a connection, to which a server of the protocol answers.
const (
	http1 = "GET /no-such-page HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
	http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "\x00\x00\x00\x04\x00\x00\x00\x00\x00" // and no settings (RFC 9113, 3.4)
)

// ask connects, begins in the protocol that the server has chosen, and returns what comes back.
func ask(address string, config *tls.Config) (answer []byte, err error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	begin := http1
	if config != nil {
		over := tls.Client(conn, config)
		if err := over.Handshake(); err != nil {
			return nil, err
		}
		if over.ConnectionState().NegotiatedProtocol == "h2" {
			begin = http2
		}
		conn = over
	}
	if _, err := io.WriteString(conn, begin); err != nil {
		return nil, err
	}
	answer = make([]byte, 64)
	n, err := conn.Read(answer)
	return answer[:n], err
}

// serial is the serial number of the certificate that the listener has, in hexadecimal.
func serial(address string, config *tls.Config) (string, error) {
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", address, config)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return fmt.Sprintf("%x", conn.ConnectionState().PeerCertificates[0].SerialNumber), nil
}

// renewUnderTraffic renews all certificates again and again for as long as traffic runs.
func (l *testLab) renewUnderTraffic() {
	l.Helper()
	seen := map[string][]string{} // serial numbers by listener
	l.awaitNewSerials(seen)
	ended := make(chan string, 1)
	go func() {
		out, err := l.command("traffic", "--duration", "5s", "--rate", "20").CombinedOutput()
		if err != nil {
			ended <- fmt.Sprintf("%v\n%s", err, out)
			return
		}
		ended <- ""
	}()
	for renewals := 1; ; renewals++ {
		l.lab("certificates", "--renew", "--all")
		l.awaitNewSerials(seen)
		select {
		case failed := <-ended:
			if failed != "" {
				l.Errorf("traffic during %d renewals: %s", renewals, failed)
			}
			return
		default:
		}
	}
}

// awaitNewSerials waits until each listener has a certificate that it has not had before.
func (l *testLab) awaitNewSerials(seen map[string][]string) {
	l.Helper()
	own := l.tlsOf(l.dir, certificates.Client)
	for name, addresses := range l.listeners() {
		for _, address := range addresses {
			l.eventually(fmt.Sprintf("%s at %s has a new certificate", name, address), func() bool {
				now, err := serial(address, own)
				if err != nil {
					l.Fatalf("%s at %s: %v", name, address, err)
				}
				if slices.Contains(seen[address], now) {
					return false
				}
				seen[address] = append(seen[address], now)
				return true
			})
		}
	}
}
