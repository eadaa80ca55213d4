using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Search;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Diffusion;

/// <summary>A whole SDXL folder against StableDiffusionXLPipeline's own numbers.</summary>
public sealed class SdxlPipelineTests : IDisposable
{
    private const double Bar = 1e-4;
    private readonly SdxlTiny _folder = new();

    [Theory]
    [InlineData("euler", null)] // the folder's
    [InlineData("ddim", "ddim")]
    public void Embeddings_latents_and_pictures_agree(string golden, string? sampler)
    {
        using var scope = NewDisposeScope();
        Dictionary<string, Tensor> expected = GoldenFile.Read("sdxl_pipeline.safetensors");
        var json = GoldenConfigs.Json("sdxl_pipeline");
        using DiffusionModel model = DiffusionModel.Load(_folder.Folder);
        string[] prompts = [.. json.GetProperty("prompts").EnumerateArray().Select(prompt => prompt.GetString()!)];
        using Conditioning y = model.Embed(prompts), nothing = model.EmbedNothing().Expand(2);
        Assert.InRange(Golden.RelativeError(y.Tokens, expected["prompt_embeds"]), 0, Bar);
        Assert.InRange(Golden.RelativeError(y.Pooled!, expected["pooled"]), 0, Bar);
        Assert.Equal(0, expected["negative_embeds"].abs().sum().item<float>() + nothing.Tokens.abs().sum().item<float>()
            + nothing.Pooled!.abs().sum().item<float>());
        Assert.Equal([64f, 64, 0, 0, 64, 64], y.TimeIds![0].data<float>().ToArray());

        var options = new GenerationOptions
        {
            Guidance = json.GetProperty("guidance").GetDouble(), Steps = json.GetProperty("steps").GetInt32(), Batch = 2,
            Scheduler = model.SchedulerWith(sampler),
        };
        if (sampler is not null) options = options with { Scheduler = options.Scheduler with { SetAlphaToOne = false } };
        using Tensor latents = Generation.Latents(model, y, nothing, Golden.Rand("z0", 2, 4, 16, 16), options);
        Assert.InRange(Golden.RelativeError(latents, expected[golden + ".latents"]), 0, Bar);
        // as the decoder gives them, neither brought to [0, 1] nor clamped
        using Tensor pictures = model.Vae.Decode(latents / model.Vae.Config.ScalingFactor);
        Assert.InRange(Golden.RelativeError(pictures, expected[golden + ".pictures"]), 0, Bar);
    }

    [Fact]
    public void An_empty_caption_is_a_caption_and_zeros_are_not_it()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(_folder.Folder);
        Assert.True(model.Embed("").Tokens.abs().sum().item<float>() > 1);
        string index = File.ReadAllText(_folder.In("model_index.json"));
        File.WriteAllText(_folder.In("model_index.json"), index.Replace("\"force_zeros_for_empty_prompt\": true",
            "\"force_zeros_for_empty_prompt\": false", StringComparison.Ordinal));
        using DiffusionModel other = DiffusionModel.Load(_folder.Folder);
        Assert.Equal(0, Golden.RelativeError(other.EmbedNothing().Tokens, model.Embed("").Tokens));
    }

    [Fact]
    public void A_search_moves_tokens_and_pooled_vector_and_no_sizes()
    {
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(_folder.Folder);
        Conditioning start = model.RandomConditioning(RandomSource.For("start"));
        Assert.Equal((80L, 24L, 6L), (start.Tokens.shape[2], start.Pooled!.shape[1], start.TimeIds!.shape[1]));
        var search = new DoriSearch(new SearchOptions { Steps = 2, Batch = 2, MicroBatch = 1, SnapshotSteps = [2] });
        using SearchResult found = search.Run(model, Golden.Rand("target", 1, 4, 16, 16), start, RandomSource.For("search"));
        Conditioning y = found.Snapshots[0].Y;
        Assert.True(Golden.RelativeError(y.Tokens, start.Tokens) > 0.01);
        Assert.True(Golden.RelativeError(y.Pooled!, start.Pooled) > 0.01);
        Assert.Equal(0, Golden.RelativeError(y.TimeIds!, start.TimeIds));
    }

    [Theory]
    [InlineData("model_index.json", "StableDiffusionXLPipeline", "StableDiffusionXLImg2ImgPipeline", "refiner")]
    [InlineData("text_encoder_2/config.json", "\"projection_dim\": 24", "\"projection_dim\": 32", "pooled vector 24 wide")]
    [InlineData("unet/config.json", "\"addition_time_embed_dim\": 8", "\"addition_time_embed_dim\": 12", "above 6 times")]
    [InlineData("unet/config.json", "\"addition_embed_type\": \"text_time\"", "\"addition_embed_type\": \"text_image\"", "text_time")]
    public void What_does_not_fit_is_named(string file, string text, string instead, string message)
    {
        string before = File.ReadAllText(_folder.In(file));
        Assert.Contains(text, before, StringComparison.Ordinal);
        File.WriteAllText(_folder.In(file), before.Replace(text, instead, StringComparison.Ordinal));
        Assert.Contains(message, Assert.Throws<DoriException>(() => DiffusionModel.Load(_folder.Folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_that_the_second_encoder_is_decides_the_models_hash_and_is_saved_with_it()
    {
        Checkpoint checkpoint = Checkpoint.Open(_folder.Folder);
        Assert.Contains(checkpoint.FileHashes(), hash => hash.File == "text_encoder_2/model.safetensors");
        Assert.Contains(checkpoint.FileHashes(), hash => hash.File == "tokenizer_2/tokenizer.json");
        string saved = _folder.Folder + "-saved";
        try
        {
            using WeightSet unet = checkpoint.OpenUNet();
            checkpoint.SaveWithUNet(saved, unet.Read, "");
            Assert.Equal(checkpoint.Sha256(), Checkpoint.Open(saved).Sha256());
        }
        finally
        {
            if (Directory.Exists(saved)) Directory.Delete(saved, recursive: true);
        }
    }

    public void Dispose() => _folder.Dispose();
}
