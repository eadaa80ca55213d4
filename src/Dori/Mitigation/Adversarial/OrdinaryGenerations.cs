using System.Globalization;
using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Mitigation.Adversarial;

/// <summary>
/// Ordinary pairs that a model draws itself from captions, for who has no ordinary pictures: it is then held to what it did, not to what it
/// was taught.
/// </summary>
internal static class OrdinaryGenerations
{
    /// <summary>Pictures in all, where nobody says how many.</summary>
    public const int DefaultCount = 512;

    /// <summary>Draws pictures into an imagefolder; what an interrupted call left there is not drawn again.</summary>
    /// <param name="captions">Drawn from in turn.</param>
    /// <param name="count">Pictures in all.</param>
    /// <param name="identity">What else decides the pictures, such as the model's hash.</param>
    /// <param name="parent">The imagefolder is made in it, under a name of its own for each identity, caption list, count and seed.</param>
    /// <returns>The imagefolder's path.</returns>
    /// <exception cref="DoriException">No captions, or fewer than one picture.</exception>
    public static string Draw(DiffusionModel model, IReadOnlyList<string> captions, int count, long seed, string identity, string parent,
        Workers workers, CancellationToken cancellation = default)
    {
        if (captions.Count == 0) throw new DoriException("no captions to draw ordinary pictures from");
        if (count < 1) throw new DoriException($"{count} ordinary pictures; at least 1 is wanted");
        GenerationOptions options = GenerationOptions.For(model, batch: 1);
        string all = string.Create(CultureInfo.InvariantCulture,
            $"{identity} {count} {seed} {workers.ThreadsEach}\n{string.Join('\n', captions)}");
        string folder = Path.Combine(parent, "ordinary-" + Sha256Text.Short(all)), metadata = Path.Combine(folder, "metadata.jsonl");
        if (File.Exists(metadata)) return folder;
        AtomicFile.MakeFolder(folder);
        using Conditioning yNull = model.EmbedNothing();
        workers.Run(count, One, _ => { }, cancellation);
        // last: it says that the pictures are all there
        AtomicFile.WriteText(metadata,
            string.Concat(Enumerable.Range(0, count).Select(i =>
            new JsonObject { ["file_name"] = Name(i), ["text"] = captions[i % captions.Count] }.ToJsonString() + "\n")));
        return folder;

        bool One(int index)
        {
            string file = Path.Combine(folder, Name(index));
            if (File.Exists(file)) return true;
            using var scope = NewDisposeScope();
            RandomSource random = RandomSource.For("ordinary generations",
                seed.ToString(CultureInfo.InvariantCulture)).Derive("picture", index);
            Tensor picture = Generation.Pictures(model, model.Embed(captions[index % captions.Count]), yNull,
                Generation.Noise(model, random, 1), options, cancellation);
            Picture.Save(file, picture[0]);
            return true;
        }

        static string Name(int index) => string.Create(CultureInfo.InvariantCulture, $"{index:000000}.png");
    }
}
