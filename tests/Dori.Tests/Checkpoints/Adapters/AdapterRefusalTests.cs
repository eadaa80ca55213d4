using System.Text.Json;
using Dori.Checkpoints;
using Dori.Checkpoints.Adapters;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints.Adapters;

/// <summary>What is no plain LoRA for this base, and what a plain one leaves open.</summary>
public sealed class AdapterRefusalTests : IDisposable
{
    private const string Layer = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q",
        Cross = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k";
    private readonly SafetensorsScratch _scratch = new();

    public static TheoryData<string> Kinds()
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Golden.PathOf("cases/lora-other-kinds/kinds.json")));
        return [.. json.RootElement.EnumerateObject().Select(entry => entry.Name)];
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Other_kinds_are_refused_by_what_they_are(string file)
    {
        using JsonDocument json = JsonDocument.Parse(File.ReadAllText(Golden.PathOf("cases/lora-other-kinds/kinds.json")));
        JsonElement entry = json.RootElement.GetProperty(file);
        string path = Golden.PathOf($"cases/lora-other-kinds/{file}");
        foreach (string message in new[] { Refusal(path), Assert.Throws<DoriException>(() => AdapterInfo.Read(path)).Message })
        {
            Assert.Contains(entry.GetProperty("kind").GetString()!, message, StringComparison.Ordinal);
            Assert.Contains(entry.GetProperty("key").GetString()!, message, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData(768, "a LoRA for SD 1.x (attn2.to_k takes 768); emoji is a model whose text is 128 wide (128)")]
    [InlineData(1024, "a LoRA for SD 2.x")]
    [InlineData(2048, "a LoRA for SDXL")]
    public void For_another_base_one_line_names_both(int width, string part) =>
        Assert.Contains(part, Refusal(Write("other", (Cross + ".lora_down.weight", [4, width]), (Cross + ".lora_up.weight", [192, 4]))),
            StringComparison.Ordinal);

    [Theory]
    [InlineData("lora_te2_text_model_encoder_layers_0_self_attn_q_proj", "for a second text encoder")]
    [InlineData("lora_unet_down_blocks_7_attentions_0_proj_in", "find no weight in emoji")]
    [InlineData("lora_unet_input_blocks_4_1_transformer_blocks_3_attn1_to_q", "a LoRA for SDXL")]
    [InlineData("lora_unet_double_blocks_0_img_attn_qkv", "a transformer model (FLUX")]
    [InlineData("transformer.single_transformer_blocks.0.attn.to_q", "a transformer model (FLUX")]
    [InlineData("lora_prior_unet_down_blocks_0_attn", "Stable Cascade")]
    [InlineData("motion_modules.0.temporal_transformer.proj", "AnimateDiff")]
    public void Keys_of_other_models_are_named(string layer, string part)
    {
        string message = Refusal(Write("other", (layer + ".lora_down.weight", [4, 128]), (layer + ".lora_up.weight", [128, 4])));
        Assert.Contains(part, message, StringComparison.Ordinal);
        Assert.Contains(layer, message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.diffusion_model.out.2.weight", "a whole model")]
    [InlineData("emb_params", "a textual inversion")]
    [InlineData("decoder.conv_in.weight", "a VAE")]
    [InlineData("something.else", "no LoRA")]
    public void A_file_of_another_sort_is_told(string key, string part) =>
        Assert.Contains(part, Refusal(Write("sort", (key, [2, 2]))), StringComparison.Ordinal);

    [Fact]
    public void Halves_strangers_and_misfits_are_named()
    {
        (string, long[]) down = (Layer + ".lora_down.weight", [4, 128]), up = (Layer + ".lora_up.weight", [128, 4]);
        Assert.Contains("lora_down is missing", Refusal(Write("half", up)), StringComparison.Ordinal);
        Assert.Contains("stands alone", Refusal(Write("alpha", down, up, ("lora_unet_conv_in.alpha", []))), StringComparison.Ordinal);
        Assert.Contains("lora_unet_conv_in.strange is none of a plain LoRA's",
            Refusal(Write("strange", down, up, ("lora_unet_conv_in.strange", [1]))), StringComparison.Ordinal);
        Assert.Contains("does not fit", Refusal(Write("misfit", (down.Item1, [4, 64]), up)), StringComparison.Ordinal);
        Assert.Contains("does not fit", Refusal(Write("ranks", (down.Item1, [3, 128]), up)), StringComparison.Ordinal);
        Assert.Contains("holds 2 numbers", Refusal(Write("alphas", down, up, (Layer + ".alpha", [2]))), StringComparison.Ordinal);
        Assert.Contains("the kernel lies in lora_up",
            Refusal(Write("kernel", ("lora_unet_conv_in.lora_down.weight", [2, 4, 1, 1]),
            ("lora_unet_conv_in.lora_up.weight", [64, 2, 3, 3]))), StringComparison.Ordinal);
        Assert.Contains("two changes of one weight",
            Refusal(Write("twice", down, up, ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.weight", [4, 128]),
            ("unet.down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q.lora_B.weight", [128, 4]))), StringComparison.Ordinal);
        Assert.Contains("several adapters (a, b)",
            Refusal(Write("names", ("unet.conv_in.lora_A.a.weight", [4, 4, 3, 3]), ("unet.conv_in.lora_B.b.weight", [64, 4, 1, 1]))),
            StringComparison.Ordinal);
        Assert.Contains("infinities or NaN", Refusal(WriteTensors("nan",
            [(down.Item1, ones(4, 128).mul(float.NaN)), (up.Item1, ones(128, 4))])), StringComparison.Ordinal);
        Assert.Contains("no such file", Refusal(_scratch.PathOf("absent.safetensors")), StringComparison.Ordinal);
        Assert.Contains("a pickle", Refusal(_scratch.WriteBytes("lora.pt", [1, 2, 3])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_rank_in_the_metadata_that_the_tensors_have_not_is_an_error()
    {
        var metadata = new Dictionary<string, string> { ["lora_adapter_metadata"] = """{"unet.r": 8, "unet.lora_alpha": 8}""" };
        string path = WriteTensors("rank", [("unet.conv_in.lora_A.weight", ones(4, 4, 3, 3)),
            ("unet.conv_in.lora_B.weight", ones(64, 4, 1, 1))], metadata);
        Assert.Contains("says rank 8 for conv_in, its tensors have 4", Refusal(path), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_taken_for_granted_is_said()
    {
        (string, long[]) down = (Layer + ".lora_down.weight", [4, 128]), up = (Layer + ".lora_up.weight", [128, 4]);
        Checkpoint absent = AdapterGoldenTests.Open(Write("absent-alpha", down, up), 1);
        Assert.Contains(absent.Notes, note => note.Contains("alpha is not in the file", StringComparison.Ordinal));
        Assert.Contains(absent.Notes, note => note.Contains("the text encoder is not touched", StringComparison.Ordinal));
        Checkpoint zero = AdapterGoldenTests.Open(
            WriteTensors("zero", [(down.Item1, ones(4, 128)), (up.Item1, ones(128, 4)), (Layer + ".alpha", tensor(0f))]), 1);
        Assert.Contains(zero.Notes, note => note.Contains("is 0", StringComparison.Ordinal));
        Assert.Contains(zero.Notes, note => note.Contains("changes nothing", StringComparison.Ordinal));
    }

    [Fact]
    public void The_rank_stabilised_factor_divides_by_the_root()
    {
        const string settings = """{"unet.r": 4, "unet.lora_alpha": 6, "unet.use_rslora": true}""";
        var metadata = new Dictionary<string, string> { ["lora_adapter_metadata"] = settings };
        string path = WriteTensors("rs", [("unet.conv_in.lora_A.default_0.weight", ones(4, 4, 3, 3)),
            ("unet.conv_in.lora_B.default_0.weight", ones(64, 4, 1, 1))], metadata);
        AdapterLayer layer = Assert.Single(AdapterGoldenTests.Open(path, 1).Adapters[0].Layers);
        Assert.Equal(3, layer.Factor, 12);
    }

    [Theory]
    [InlineData("unet.base_model.model.")]
    [InlineData("base_model.model.")]
    [InlineData("diffusion_model.", "input_blocks.0.0")]
    [InlineData("lycoris_")]
    [InlineData("lora_unet_", "input_blocks_0_0")]
    public void Every_naming_finds_the_same_weight(string prefix, string layer = "conv_in")
    {
        string path = Write("naming", ($"{prefix}{layer}.lora_down.weight", [4, 4, 3, 3]),
            ($"{prefix}{layer}.lora_up.weight", [64, 4, 1, 1]));
        Assert.Equal("conv_in.weight", Assert.Single(AdapterGoldenTests.Open(path, 1).Adapters[0].Layers).Weight);
    }

    [Theory]
    [InlineData("output_blocks_1_1_conv")]
    [InlineData("output_blocks_1_2_conv")]
    public void An_upsampler_goes_by_both_numbers(string layer)
    {
        string path = Write("up", ($"lora_unet_{layer}.lora_down.weight", [4, 192, 3, 3]),
            ($"lora_unet_{layer}.lora_up.weight", [192, 4, 1, 1]));
        Assert.Equal("up_blocks.0.upsamplers.0.conv.weight", Assert.Single(AdapterGoldenTests.Open(path, 1).Adapters[0].Layers).Weight);
    }

    /// <summary>Every matrix and kernel of both networks, by each of its names: none is lost, none is taken for another.</summary>
    [Fact]
    public void Every_layer_of_the_model_can_be_touched()
    {
        using WeightSet unet = DiffusersFolder.Open(Golden.EmojiModel).OpenUNet();
        var tensors = new List<(string, Tensor)>();
        string[] weights = [.. unet.Names.Where(name => unet.Info(name).Shape.Count >= 2)];
        foreach (string name in weights)
        {
            IReadOnlyList<long> shape = unet.Info(name).Shape;
            string layer = "lora_unet_" + name[..^".weight".Length].Replace('.', '_');
            tensors.Add(($"{layer}.lora_down.weight", ones([1, .. shape.Skip(1)])));
            tensors.Add(($"{layer}.lora_up.weight", ones([shape[0], 1])));
        }
        Adapter adapter = AdapterGoldenTests.Open(WriteTensors("all", tensors), 1).Adapters[0];
        Assert.Equal(weights.Order(StringComparer.Ordinal), adapter.Layers.Select(layer => layer.Weight).Order(StringComparer.Ordinal));
    }

    private string Refusal(string path) => Assert.Throws<DoriException>(() => AdapterGoldenTests.Open(path, 1)).Message;

    private string Write(string name, params (string Key, long[] Shape)[] tensors) =>
        WriteTensors(name, [.. tensors.Select(t => (t.Key, ones(t.Shape)))]);

    private string WriteTensors(string name, IReadOnlyList<(string, Tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        string path = _scratch.PathOf(name + ".safetensors");
        SafetensorsWriter.Write(path, tensors, metadata);
        return path;
    }

    public void Dispose() => _scratch.Dispose();
}
