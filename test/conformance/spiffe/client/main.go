// A SPIFFE workload that is not ours: go-spiffe against a Workload API socket. It prints one JSON line for each thing that
// it saw; judging is left to the runner.
//
//	client -socket unix:///run/picket/api.sock -audience ledger fetch
//	client -socket unix:///run/picket/api.sock watch
package main

import (
	"context"
	"crypto"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/jwtbundle"
	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/svid/jwtsvid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
	"github.com/spiffe/go-spiffe/v2/workloadapi"
	"google.golang.org/grpc/status"
)

type line struct {
	Event  string   `json:"event"`
	OK     bool     `json:"ok"`
	Error  string   `json:"error,omitempty"`
	Code   string   `json:"code,omitempty"`
	IDs    []string `json:"ids,omitempty"`
	Hints  []string `json:"hints,omitempty"`
	Serial string   `json:"serial,omitempty"`
	Count  int      `json:"count,omitempty"`
	Token  string   `json:"token,omitempty"`
}

func report(entry line) {
	encoded, err := json.Marshal(entry)
	if err != nil {
		panic(err)
	}
	fmt.Println(string(encoded))
}

// failed reports an error with its gRPC status, and says whether there was one.
func failed(event string, err error) bool {
	if err == nil {
		return false
	}
	report(line{Event: event, Error: err.Error(), Code: status.Code(err).String()})
	return true
}

func main() {
	socket := flag.String("socket", "", "address of the Workload API")
	audience := flag.String("audience", "ledger", "audience of the JWT-SVIDs")
	timeout := flag.Duration("timeout", 20*time.Second, "for everything together; watch: until told to end")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if flag.Arg(0) != "watch" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, *timeout)
		defer cancel()
	}
	client, err := workloadapi.New(ctx, workloadapi.WithAddr(*socket))
	if failed("connect", err) {
		os.Exit(1)
	}
	defer client.Close()

	if flag.Arg(0) == "watch" {
		watch(ctx, client)
		return
	}
	fetchX509(ctx, client)
	fetchX509Bundles(ctx, client)
	fetchJWT(ctx, client, *audience)
}

func fetchX509(ctx context.Context, client *workloadapi.Client) {
	x509, err := client.FetchX509Context(ctx)
	if failed("x509-context", err) {
		return
	}
	entry := describe("x509-context", x509)
	entry.OK = true
	report(entry)
	for _, svid := range x509.SVIDs {
		id, _, err := x509svid.Verify(svid.Certificates, x509.Bundles)
		if failed("x509-verify", err) {
			continue
		}
		signer, ok := svid.PrivateKey.(crypto.Signer)
		key, comparable := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
		ok = ok && comparable && key.Equal(svid.Certificates[0].PublicKey)
		report(line{Event: "x509-verify", OK: ok && id == svid.ID, IDs: []string{id.String()}})
	}
	single, err := client.FetchX509SVID(ctx)
	if !failed("x509-default", err) {
		report(line{Event: "x509-default", OK: single.ID == x509.DefaultSVID().ID, IDs: []string{single.ID.String()}})
	}
}

func fetchX509Bundles(ctx context.Context, client *workloadapi.Client) {
	bundles, err := client.FetchX509Bundles(ctx)
	if !failed("x509-bundles", err) {
		report(line{Event: "x509-bundles", OK: allHaveX509(bundles), IDs: x509Names(bundles), Count: bundles.Len()})
	}
}

func fetchJWT(ctx context.Context, client *workloadapi.Client, audience string) {
	bundles, err := client.FetchJWTBundles(ctx)
	if failed("jwt-bundles", err) {
		return
	}
	report(line{Event: "jwt-bundles", OK: true, IDs: jwtNames(bundles), Count: bundles.Len()})
	svids, err := client.FetchJWTSVIDs(ctx, jwtsvid.Params{Audience: audience})
	if failed("jwt-svids", err) {
		return
	}
	entry := line{Event: "jwt-svids", OK: len(svids) > 0, Count: len(svids), Token: svids[0].Marshal()}
	for _, svid := range svids {
		entry.IDs = append(entry.IDs, svid.ID.String())
		entry.Hints = append(entry.Hints, svid.Hint)
	}
	report(entry)
	for _, svid := range svids {
		verifyJWT(ctx, client, svid, bundles, audience)
	}
	again, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience, Subject: svids[0].ID})
	if !failed("jwt-again", err) {
		report(line{Event: "jwt-again", OK: again.Marshal() == svids[0].Marshal(), IDs: []string{again.ID.String()}})
	}
	foreign, err := client.FetchJWTSVID(ctx, jwtsvid.Params{Audience: audience, Subject: svids[0].ID.TrustDomain().ID()})
	if !failed("jwt-foreign", err) {
		report(line{Event: "jwt-foreign", IDs: []string{foreign.ID.String()}})
	}
}

// verifyJWT checks a token offline with the bundles, and online with the Workload API, which must also refuse it for
// another audience.
func verifyJWT(ctx context.Context, client *workloadapi.Client, svid *jwtsvid.SVID, bundles *jwtbundle.Set, audience string) {
	parsed, err := jwtsvid.ParseAndValidate(svid.Marshal(), bundles, []string{audience})
	if !failed("jwt-verify", err) {
		report(line{Event: "jwt-verify", OK: parsed.ID == svid.ID, IDs: []string{parsed.ID.String()}})
	}
	validated, err := client.ValidateJWTSVID(ctx, svid.Marshal(), audience)
	if !failed("jwt-validate", err) {
		report(line{Event: "jwt-validate", OK: validated.ID == svid.ID, IDs: []string{validated.ID.String()}})
	}
	_, err = client.ValidateJWTSVID(ctx, svid.Marshal(), "another audience")
	if !failed("jwt-validate-other", err) {
		report(line{Event: "jwt-validate-other"})
	}
}

func watch(ctx context.Context, client *workloadapi.Client) {
	done := make(chan struct{}, 3)
	go func() {
		_ = client.WatchX509Context(ctx, x509Watcher{})
		done <- struct{}{}
	}()
	go func() {
		_ = client.WatchX509Bundles(ctx, x509BundleWatcher{})
		done <- struct{}{}
	}()
	go func() {
		_ = client.WatchJWTBundles(ctx, jwtBundleWatcher{})
		done <- struct{}{}
	}()
	for range 3 {
		<-done
	}
}

type x509Watcher struct{}

func (x509Watcher) OnX509ContextUpdate(x509 *workloadapi.X509Context) {
	entry := describe("watch-x509", x509)
	entry.OK = true
	for _, svid := range x509.SVIDs {
		if _, _, err := x509svid.Verify(svid.Certificates, x509.Bundles); err != nil {
			entry.OK = false
			entry.Error = err.Error()
		}
	}
	report(entry)
}

func (x509Watcher) OnX509ContextWatchError(err error) { watchError("watch-x509-error", err) }

type x509BundleWatcher struct{}

func (x509BundleWatcher) OnX509BundlesUpdate(bundles *x509bundle.Set) {
	report(line{Event: "watch-x509-bundles", OK: allHaveX509(bundles), IDs: x509Names(bundles), Count: authorities(bundles)})
}

func (x509BundleWatcher) OnX509BundlesWatchError(err error) {
	watchError("watch-x509-bundles-error", err)
}

type jwtBundleWatcher struct{}

func (jwtBundleWatcher) OnJWTBundlesUpdate(bundles *jwtbundle.Set) {
	keys := 0
	for _, bundle := range bundles.Bundles() {
		keys += len(bundle.JWTAuthorities())
	}
	report(line{Event: "watch-jwt-bundles", OK: true, IDs: jwtNames(bundles), Count: keys})
}

func (jwtBundleWatcher) OnJWTBundlesWatchError(err error) { watchError("watch-jwt-bundles-error", err) }

// The end of the program ends the streams; that is not worth a line.
func watchError(event string, err error) {
	if code := status.Code(err).String(); code != "Canceled" {
		report(line{Event: event, Error: err.Error(), Code: code})
	}
}

func describe(event string, x509 *workloadapi.X509Context) line {
	entry := line{Event: event, Count: len(x509.SVIDs), Serial: x509.DefaultSVID().Certificates[0].SerialNumber.Text(16)}
	for _, svid := range x509.SVIDs {
		entry.IDs = append(entry.IDs, svid.ID.String())
		entry.Hints = append(entry.Hints, svid.Hint)
	}
	return entry
}

func x509Names(bundles *x509bundle.Set) (names []string) {
	for _, bundle := range bundles.Bundles() {
		names = append(names, bundle.TrustDomain().IDString())
	}
	return names
}

func jwtNames(bundles *jwtbundle.Set) (names []string) {
	for _, bundle := range bundles.Bundles() {
		names = append(names, bundle.TrustDomain().IDString())
	}
	return names
}

func allHaveX509(bundles *x509bundle.Set) bool {
	for _, bundle := range bundles.Bundles() {
		if bundle.Empty() {
			return false
		}
	}
	return bundles.Len() > 0
}

func authorities(bundles *x509bundle.Set) int {
	count := 0
	for _, bundle := range bundles.Bundles() {
		count += len(bundle.X509Authorities())
	}
	return count
}
