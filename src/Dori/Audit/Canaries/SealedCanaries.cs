using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Diffusion;
using Dori.Pictures;

namespace Dori.Audit;

/// <param name="File">In the folder beside the sealed file.</param>
internal sealed record Canary(string File, string Sha256, string Caption);

/// <summary>Two pictures of which a coin decides which is planted; which of them is A was decided before.</summary>
internal sealed record CanaryPair(Canary A, Canary B);

/// <summary>How both of every pair will be audited, fixed before the training.</summary>
/// <param name="Guesses">Pairs that will be guessed for the bound on epsilon: those with the largest difference.</param>
internal sealed record CanaryProtocol(string Protocol, IReadOnlyList<AuditStart> Starts, int SearchSteps, int Generations, long Seed,
    int Guesses);

/// <summary>
/// <c>sealed.json</c>: what decides an experiment of planted pictures, to be kept from whoever trains. Coins and doses follow from the seed
/// alone, under labels of their own, so that neither tells anything of the other.
/// </summary>
/// <param name="Seed">64 hexadecimal digits from the operating system: the one number here that no command decides.</param>
/// <param name="Doses">How often a planted picture is shown; each of as many pairs, as nearly as may be.</param>
/// <param name="Digest">SHA-256 of everything else in it.</param>
internal sealed record SealedCanaries(string Schema, string Seed, IReadOnlyList<int> Doses, IReadOnlyList<CanaryPair> Pairs,
    CanaryProtocol Protocol, string? Digest = null)
{
    public const string Current = "dori.canaries/1", FileName = "sealed.json", Pictures = "pictures";

    private RandomSource Source(string label) => RandomSource.For("canaries", Seed, label);

    /// <summary>Whether A of a pair is the planted one.</summary>
    public bool PlantsA(int pair) => Source("coin").Derive("pair", pair).Next(2) == 0;

    /// <summary>For a pair whose two scores are equal: a fair coin again.</summary>
    public bool TieToPlanted(int pair) => Source("ties").Derive("pair", pair).Next(2) == 0;

    /// <summary>How often each pair's planted picture is shown.</summary>
    public int[] DosesOfPairs()
    {
        int[] doses = [.. Enumerable.Range(0, Pairs.Count).Select(k => Doses[k % Doses.Count])];
        Shuffle(doses, Source("doses"));
        return doses;
    }

    public static void Shuffle<T>(T[] values, RandomSource random)
    {
        for (int i = values.Length - 1; i > 0; i--)
        {
            int j = random.Next(i + 1);
            (values[i], values[j]) = (values[j], values[i]);
        }
    }

    public Canary Planted(int pair) => PlantsA(pair) ? Pairs[pair].A : Pairs[pair].B;

    public static string IdOf(int pair, bool a) => $"p{pair:0000}{(a ? 'a' : 'b')}";

    /// <summary>Both of every pair: the planted as audited pictures, the others as their controls, which they are exactly.</summary>
    /// <param name="folder">Of the sealed file.</param>
    /// <exception cref="DoriException">A picture is missing, or not the sealed one.</exception>
    public PictureSet Set(string folder)
    {
        string pictures = Path.Combine(folder, Pictures);
        var items = new List<PictureItem>();
        for (int k = 0; k < Pairs.Count; k++)
            foreach (bool a in new[] { true, false })
            {
                Canary canary = a ? Pairs[k].A : Pairs[k].B;
                string path = Path.Combine(pictures, canary.File), hash = InputFile.Sha256(path, InputKind.Picture);
                if (hash != canary.Sha256) throw new DoriException($"{path}: it is not the picture that was sealed (another SHA-256)");
                items.Add(new PictureItem(IdOf(k, a), [canary.File], canary.Caption, PictureKind.None,
                    a == PlantsA(k) ? PictureRole.Audit : PictureRole.Control) { Folder = pictures, Sha256 = [hash] });
            }
        return new PictureSet(items, [], []);
    }

    public SealedCanaries WithDigest() => this with { Digest = DigestOf() };

    private string DigestOf() => Sha256Text.Of(JsonSerializer.Serialize(this with { Digest = null }, CanariesJson.Default.SealedCanaries));

    public string ToJson() => JsonSerializer.Serialize(this, CanariesJson.Default.SealedCanaries) + "\n";

    /// <param name="hash">The SHA-256 that was printed when it was made; null: not compared.</param>
    /// <exception cref="DoriException">No sealed file, or one that was changed since.</exception>
    public static SealedCanaries Read(string path, string? hash)
    {
        if (hash is not null && !string.Equals(InputFile.Sha256(path, InputKind.Record), hash, StringComparison.OrdinalIgnoreCase))
            throw new DoriException($"{path}: it is not the file that was sealed: its SHA-256 is another than `Hash`");
        SealedCanaries canaries = InputFile.ReadJson(path, InputKind.Record, CanariesJson.Default.SealedCanaries);
        return canaries.Problem() is { } problem ? throw new DoriException($"{path}: {problem}") : canaries;
    }

    private string? Problem()
    {
        if (Schema != Current) return $"its schema is {Schema}; this version reads {Current}";
        if (Digest != DigestOf()) return "it was changed after it was sealed: its digest is not its own";
        if (!RunFolder.IsHash(Seed)) return "its seed is none";
        if (Pairs.Count == 0 || Doses.Count == 0 || Doses.Any(dose => dose < 1)) return "it has no pairs or no doses";
        if (Protocol.Guesses < 1 || Protocol.Guesses > Pairs.Count) return "its number of guesses is out of range";
        if (Protocol.Starts.Contains(AuditStart.Other)) return "start other would begin elsewhere for the planted than for the others";
        return Pairs.SelectMany(pair => new[] { pair.A, pair.B }).All(c => Path.GetFileName(c.File) == c.File && RunFolder.IsHash(c.Sha256))
            ? null : "a picture's file or hash is none";
    }
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true, NewLine = "\n")]
[JsonSerializable(typeof(SealedCanaries))]
[JsonSerializable(typeof(CanariesSummary))]
internal sealed partial class CanariesJson : JsonSerializerContext;
