// Checks what the ledger writes with other people's code: golang.org/x/mod/sumdb/note and tlog.
// Reads one JSON document from standard input; prints counts and exits 0 where all of it holds.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type document struct {
	Checkpoint string   `json:"checkpoint"`
	LogVkey    string   `json:"logVkey"`
	Cosigners  []string `json:"cosigners"` // vkeys of the log's clock and of witnesses
	Entries    [][]byte `json:"entries"`
	Inclusion  []struct {
		Index  int64    `json:"index"`
		Size   int64    `json:"size"`
		Root   []byte   `json:"root"`
		Hashes [][]byte `json:"hashes"`
	} `json:"inclusion"`
	Consistency []struct {
		From    int64    `json:"from"`
		To      int64    `json:"to"`
		OldRoot []byte   `json:"oldRoot"`
		NewRoot []byte   `json:"newRoot"`
		Hashes  [][]byte `json:"hashes"`
	} `json:"consistency"`
}

// cosigner verifies cosignature/v1; x/mod knows only plain Ed25519.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c cosigner) Name() string    { return c.name }
func (c cosigner) KeyHash() uint32 { return c.hash }
func (c cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", binary.BigEndian.Uint64(sig), msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func newCosigner(vkey string) cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	must(err)
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), key...))
	hash := binary.BigEndian.Uint32(sum[:])
	if fmt.Sprintf("%08x", hash) != parts[1] || key[0] != 4 {
		fail("not the key of a cosigner")
	}
	return cosigner{parts[0], hash, ed25519.PublicKey(key[1:])}
}

func main() {
	var doc document
	must(json.NewDecoder(os.Stdin).Decode(&doc))
	log, err := note.NewVerifier(doc.LogVkey)
	must(err)
	known := []note.Verifier{log}
	for _, vkey := range doc.Cosigners {
		known = append(known, newCosigner(vkey))
	}
	opened, err := note.Open([]byte(doc.Checkpoint), note.VerifierList(known...))
	must(err)
	if len(opened.Sigs) != len(known) {
		fail("a known key has not signed")
	}
	checkTree(doc.Entries, strings.Split(opened.Text, "\n"))
	for _, p := range doc.Inclusion {
		leaf := tlog.RecordHash(doc.Entries[p.Index])
		must(tlog.CheckRecord(tlog.RecordProof(hashes(p.Hashes)), p.Size, hash(p.Root), p.Index, leaf))
	}
	for _, p := range doc.Consistency {
		must(tlog.CheckTree(tlog.TreeProof(hashes(p.Hashes)), p.To, hash(p.NewRoot), p.From, hash(p.OldRoot)))
	}
	fmt.Printf("signatures %d, inclusion proofs %d, consistency proofs %d\n", len(opened.Sigs), len(doc.Inclusion), len(doc.Consistency))
}

// checkTree builds the tree anew from the entries and compares size and root.
func checkTree(entries [][]byte, lines []string) {
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			found[i] = stored[index]
		}
		return found, nil
	})
	for i, entry := range entries {
		more, err := tlog.StoredHashes(int64(i), entry, reader)
		must(err)
		stored = append(stored, more...)
	}
	root, err := tlog.TreeHash(int64(len(entries)), reader)
	must(err)
	want, err := base64.StdEncoding.DecodeString(lines[2])
	must(err)
	if lines[1] != strconv.Itoa(len(entries)) || !bytes.Equal(want, root[:]) {
		fail("size or root of the checkpoint differ from the entries")
	}
}

func hash(raw []byte) (h tlog.Hash) {
	if copy(h[:], raw) != len(h) || len(raw) != len(h) {
		fail("a hash that is not 32 bytes")
	}
	return h
}

func hashes(raw [][]byte) (all []tlog.Hash) {
	for _, each := range raw {
		all = append(all, hash(each))
	}
	return all
}

func must(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, why)
	os.Exit(1)
}
