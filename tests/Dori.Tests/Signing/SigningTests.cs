using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Reporting;
using Dori.Signing;
using Dori.Tests.Audit;

namespace Dori.Tests.Signing;

/// <summary>A signed run holds until a byte of it changes; its signature and statement are those of the specifications.</summary>
public sealed class SigningTests : IDisposable
{
    /// <summary>The seed of RFC 8032, section 7.1, test 2.</summary>
    private const string OfRfc = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-signing-").FullName;
    private readonly SampleRun _sample = new();

    [Fact]
    public void A_signature_is_that_of_the_RFC()
    {
        Ed25519Key key = OfSeed(OfRfc);
        // Message 0x72 of test 2.
        Assert.Equal(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d29"
            + "1612bb0c00", Convert.ToHexStringLower(key.Sign([0x72])));
        Assert.True(key.Verifies([0x72], key.Sign([0x72])));
        Assert.False(key.Verifies([0x73], key.Sign([0x72])));
    }

    /// <summary>The specification's own example: "hello world" of the type http://example.com/HelloWorld.</summary>
    [Fact]
    public void What_is_signed_is_the_pre_authentication_encoding() =>
        Assert.Equal("DSSEv1 29 http://example.com/HelloWorld 11 hello world",
        Encoding.UTF8.GetString(Envelope.PreAuthentication("http://example.com/HelloWorld", "hello world"u8.ToArray())));

    [Fact]
    public void A_statement_has_the_fields_of_in_totos_specification()
    {
        Sign();
        JsonNode envelope = JsonNode.Parse(File.ReadAllText(In(SignedRun.Attestation)))!;
        Assert.Equal(["payloadType", "payload", "signatures"], envelope.AsObject().Select(member => member.Key));
        Assert.Equal("application/vnd.in-toto+json", (string?)envelope["payloadType"]);
        Assert.Equal(["keyid", "sig"], envelope["signatures"]![0]!.AsObject().Select(member => member.Key));
        JsonNode statement = JsonNode.Parse(Convert.FromBase64String((string)envelope["payload"]!))!;
        Assert.Equal(["_type", "predicateType", "subject", "predicate"], statement.AsObject().Select(member => member.Key));
        Assert.Equal("https://in-toto.io/Statement/v1", (string?)statement["_type"]);
        Assert.Equal("https://in-toto.io/attestation/test-result/v0.1", (string?)statement["predicateType"]);
        JsonNode predicate = statement["predicate"]!;
        Assert.Equal(["result", "configuration", "passedTests", "warnedTests", "failedTests"],
            predicate.AsObject().Select(member => member.Key));
        Assert.Equal("FAILED", (string?)predicate["result"]);
        Assert.Equal(["v00"], predicate["failedTests"]!.AsArray().Select(item => (string?)item));
        Assert.All(statement["subject"]!.AsArray().Concat(predicate["configuration"]!.AsArray()), resource =>
        {
            Assert.Equal(["name", "digest"], resource!.AsObject().Select(member => member.Key));
            Assert.Equal(["sha256"], resource["digest"]!.AsObject().Select(member => member.Key));
        });
        Assert.Equal(_sample.Manifest.Model.Files.Count, statement["subject"]!.AsArray().Count);
    }

    [Theory]
    [InlineData(0.9f, "FAILED")]
    [InlineData(0.2f, "PASSED")]
    public void The_result_is_the_gates(float found, string result)
    {
        using var sample = new SampleRun(found);
        Report.Write(sample.Open());
        Assert.Equal(result, SignedRun.Sign(sample.Open(), OfSeed(OfRfc)).Predicate.Result);
        File.Delete(sample.Unit("v00-prompt-0"));
        Report.Write(sample.Open());
        Assert.Equal(found > 0.7f ? "FAILED" : "WARNED", SignedRun.Sign(sample.Open(), OfSeed(OfRfc)).Predicate.Result);
    }

    [Fact]
    public void It_verifies_until_a_byte_of_any_file_changes()
    {
        Sign();
        Assert.Equal("FAILED", Verify().Predicate.Result);
        string[] files = [.. Directory.GetFiles(_sample.Run, "*", SearchOption.AllDirectories)];
        string[] kinds = [.. files.DistinctBy(file => Path.GetDirectoryName(file) == _sample.Run ? file : Path.GetDirectoryName(file))];
        Assert.Contains(kinds, file => file.EndsWith(SignedRun.Attestation, StringComparison.Ordinal));
        Assert.Contains(kinds, file => Path.GetDirectoryName(file)!.EndsWith("units", StringComparison.Ordinal));
        foreach (string file in kinds)
        {
            byte[] bytes = File.ReadAllBytes(file), wrong = [.. bytes];
            wrong[wrong.Length / 2] ^= 1;
            File.WriteAllBytes(file, wrong);
            if (Path.GetFileName(file) == SignedRun.PublicKey) Verify(); // it is given by --key
            else Assert.Throws<DoriException>(Verify);
            File.WriteAllBytes(file, bytes);
        }
        Verify();
        File.WriteAllText(In("extra.txt"), "");
        Assert.Contains("extra.txt was not there", Assert.Throws<DoriException>(Verify).Message, StringComparison.Ordinal);
        File.Delete(In("extra.txt"));
        File.Delete(In("pictures.csv"));
        Assert.Contains("pictures.csv, which was signed, is gone", Assert.Throws<DoriException>(Verify).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Another_key_or_a_unit_of_another_run_is_refused()
    {
        Sign();
        Ed25519Key other = OfSeed(new string('7', 64));
        Assert.Contains("not signed by this key",
            Assert.Throws<DoriException>(() => SignedRun.Verify(_sample.Run, other)).Message, StringComparison.Ordinal);
        using var another = new SampleRun(0.2f);
        File.Copy(another.Unit("v00-caption-0"), _sample.Unit("v00-caption-0"), overwrite: true);
        Assert.Contains("was changed after it was signed", Assert.Throws<DoriException>(Verify).Message, StringComparison.Ordinal);
        // Nor is it signed in the first place: the summary is not of these units.
        Assert.Contains("not the summary of the units",
            Assert.Throws<DoriException>(() => SignedRun.Sign(_sample.Open(), OfSeed(OfRfc))).Message, StringComparison.Ordinal);
    }

    /// <summary>Somebody with a key of his own signs what he changed: the key that was given tells.</summary>
    [Fact]
    public void Without_a_key_of_ones_own_a_forger_passes_and_with_it_he_does_not()
    {
        Sign();
        SignedRun.Sign(_sample.Open(), OfSeed(new string('7', 64)));
        SignedRun.Verify(_sample.Run, null);
        Assert.Throws<DoriException>(Verify);
    }

    [Fact]
    public void Keys_are_those_of_OpenSSL_and_it_verifies_what_was_signed()
    {
        if (!Has("openssl")) Assert.Skip("openssl is not installed");
        string pem = Path.Combine(_folder, "key.pem"), open = Path.Combine(_folder, "key.pub");
        Assert.Equal(0, OpenSsl("genpkey", "-algorithm", "ed25519", "-out", pem));
        Assert.Equal(0, OpenSsl("pkey", "-in", pem, "-pubout", "-out", open));
        var key = Ed25519Key.Read(pem);
        Assert.Equal(File.ReadAllText(open), key.PublicPem);
        Report.Write(_sample.Open());
        SignedRun.Sign(_sample.Open(), key);
        SignedRun.Verify(_sample.Run, Ed25519Key.Read(open));
        Envelope envelope = JsonSerializer.Deserialize(File.ReadAllText(In(SignedRun.Attestation)), SigningJson.Default.Envelope)!;
        string message = Path.Combine(_folder, "message"), signature = Path.Combine(_folder, "signature");
        File.WriteAllBytes(message, Envelope.PreAuthentication(envelope.PayloadType, Convert.FromBase64String(envelope.Payload)));
        File.WriteAllBytes(signature, Convert.FromBase64String(envelope.Signatures[0].Sig));
        string[] verify = ["pkeyutl", "-verify", "-pubin", "-inkey", open, "-rawin", "-in", message, "-sigfile", signature];
        Assert.Equal(0, OpenSsl(verify));
        File.AppendAllText(message, " ");
        Assert.NotEqual(0, OpenSsl(verify));
        Assert.Equal(0, OpenSsl("pkey", "-in", pem, "-aes256", "-passout", "pass:x", "-out", Path.Combine(_folder, "locked.pem")));
        Assert.Contains("the key is encrypted",
            Assert.Throws<DoriException>(() => Ed25519Key.Read(Path.Combine(_folder, "locked.pem"))).Message, StringComparison.Ordinal);
        Assert.Equal(0, OpenSsl("genpkey", "-algorithm", "x25519", "-out", pem));
        Assert.Contains("an Ed25519 key in PEM is wanted", Assert.Throws<DoriException>(() => Ed25519Key.Read(pem)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("no key")]
    [InlineData("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")]
    [InlineData("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n")]
    public void What_is_no_key_is_refused_in_one_line(string text)
    {
        string message = Assert.Throws<DoriException>(() => Ed25519Key.Parse("key.pem", text)).Message;
        Assert.Contains("openssl genpkey -algorithm ed25519", message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_public_key_cannot_sign() => Assert.Contains("a public key cannot sign",
        Assert.Throws<DoriException>(() => Ed25519Key.Parse("key.pub", OfSeed(OfRfc).PublicPem).Sign([1])).Message,
            StringComparison.Ordinal);

    private static Ed25519Key OfSeed(string seed)
    {
        byte[] der = [.. Convert.FromHexString("302e020100300506032b657004220420"), .. Convert.FromHexString(seed)];
        return Ed25519Key.Parse("key.pem", new string(System.Security.Cryptography.PemEncoding.Write("PRIVATE KEY", der)) + "\n");
    }

    private void Sign()
    {
        Report.Write(_sample.Open());
        SignedRun.Sign(_sample.Open(), OfSeed(OfRfc));
    }

    private Statement Verify() => SignedRun.Verify(_sample.Run, OfSeed(OfRfc));

    private string In(string name) => Path.Combine(_sample.Run, name);

    private static bool Has(string program) => Environment.GetEnvironmentVariable("PATH")!.Split(Path.PathSeparator)
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    private static int OpenSsl(params string[] arguments)
    {
        using Process process = Process.Start(new ProcessStartInfo("openssl", arguments)
            { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true })!;
        process.StandardInput.Close();
        process.StandardOutput.ReadToEnd();
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode;
    }

    public void Dispose()
    {
        _sample.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
