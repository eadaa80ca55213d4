using Dori.Audit;
using Dori.Mitigation.Adversarial;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Tests.Support;

namespace Dori.Tests.Mitigation;

public sealed class OrdinaryGenerationsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori").FullName;

    [Fact]
    public void The_model_draws_an_imagefolder_that_reads_as_ordinary_pictures_and_an_interrupted_one_goes_on()
    {
        string[] captions = ["a dog, asleep", "two \"cats\""];
        string folder = Draw(captions, 3, new Workers(2, 1));
        OrdinaryPictures pictures = OrdinaryPictures.Load(folder);
        Assert.Equal([captions[0], captions[1], captions[0]], pictures.Captions);
        Assert.NotEqual(pictures.Bytes(0), pictures.Bytes(2)); // the same caption, other noise
        Dictionary<string, byte[]> whole = Files(folder);

        File.Delete(Path.Combine(folder, "metadata.jsonl"));
        File.Delete(Path.Combine(folder, "000001.png"));
        DateTime kept = File.GetLastWriteTimeUtc(Path.Combine(folder, "000000.png"));
        Assert.Equal(folder, Draw(captions, 3, new Workers(1, 1)));
        Assert.Equal(kept, File.GetLastWriteTimeUtc(Path.Combine(folder, "000000.png")));
        Dictionary<string, byte[]> resumed = Files(folder);
        Assert.Equal(whole.Keys.Order(), resumed.Keys.Order());
        Assert.All(whole, file => Assert.Equal(file.Value, resumed[file.Key]));

        Assert.NotEqual(folder, Draw(captions, 1, new Workers(1, 1)));
        Assert.Contains("no captions", Assert.Throws<DoriException>(() => Draw([], 3, Workers.Single)).Message);
    }

    private string Draw(string[] captions, int count, Workers workers) =>
        OrdinaryGenerations.Draw(Emoji.Model, captions, count, 0, "a", _folder, workers);

    private static Dictionary<string, byte[]> Files(string folder) =>
        Directory.GetFiles(folder).ToDictionary(file => Path.GetFileName(file), File.ReadAllBytes);

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
